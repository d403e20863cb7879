"""Web pages for the people who run the service and for those who answer its calls."""
