chmod 4755 d/f; chmod 2775 d
