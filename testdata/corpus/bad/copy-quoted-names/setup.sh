echo x >'my file.txt'
