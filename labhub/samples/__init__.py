"""Cases of Articles 17, 18 and 25, their samples, custody and identification results."""
