module example.test/server
require example.test/lib v1.4.0
