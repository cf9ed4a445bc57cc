"""What packets carry, as far as nobody else's codec says it: a codec a linked thing."""
