const express = require('express');
const path = require('path');

const app = express();
const port = process.env.PORT || 8080;

app.get('/', (request, response) => response.sendFile(path.join(__dirname, 'views', 'index.html')));
app.get('/whoami', (request, response) => response.send(`${process.getuid()}:${process.getgid()}\n`));
const server = app.listen(port, () => console.log(`listening on port ${port}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.close(() => process.exit(0)));
