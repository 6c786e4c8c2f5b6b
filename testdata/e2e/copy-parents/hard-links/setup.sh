ln a/x a/y
