"""Networks and systems outside: each adapter turns what its network says into inputs and performs replies."""
