"""What the containers of compose.yaml run. Standard library only: their images hold no Python packages."""
