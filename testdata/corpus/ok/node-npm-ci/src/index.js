require('./lib')
