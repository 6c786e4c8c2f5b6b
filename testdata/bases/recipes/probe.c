/* What busybox cannot do in a RUN: attributes, sockets, renames, opens without writing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    const char *path = argc > 2 ? argv[2] : "";

    if (strcmp(verb, "setxattr") == 0 && argc == 5)
        return setxattr(path, argv[3], argv[4], strlen(argv[4]), 0) ? fail(path) : 0;
    if (strcmp(verb, "setcap") == 0) { /* cap_net_raw+ep, revision 2 */
        static const unsigned char cap[20] = {1, 0, 0, 2, 0, 0x20};
        return setxattr(path, "security.capability", cap, sizeof cap, 0) ? fail(path) : 0;
    }
    if (strcmp(verb, "rmxattr") == 0 && argc == 4)
        return removexattr(path, argv[3]) ? fail(path) : 0;
    if (strcmp(verb, "getxattr") == 0 && argc == 4) {
        char value[256];
        ssize_t n = getxattr(path, argv[3], value, sizeof value);
        if (n < 0)
            return fail(path);
        fwrite(value, 1, (size_t)n, stdout);
        return 0;
    }
    if (strcmp(verb, "socket") == 0) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        strncpy(a.sun_path, path, sizeof a.sun_path - 1);
        return bind(fd, (struct sockaddr *)&a, sizeof a) ? fail(path) : 0;
    }
    if (strcmp(verb, "open") == 0) { /* for writing, and closed again */
        int fd = open(path, O_RDWR);
        return fd < 0 ? fail(path) : close(fd);
    }
    if (strcmp(verb, "same") == 0) { /* written with the bytes that it has; mtime put back */
        char buf[4096];
        struct stat st;
        int fd = open(path, O_RDWR);
        if (fd < 0 || fstat(fd, &st))
            return fail(path);
        ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0 || pwrite(fd, buf, (size_t)n, 0) != n)
            return fail(path);
        struct timespec t[2] = {st.st_atim, st.st_mtim};
        return futimens(fd, t) ? fail(path) : close(fd);
    }
    if (strcmp(verb, "sparse") == 0 && argc == 4) { /* a hole of that size, then one byte */
        int fd = open(path, O_CREAT | O_WRONLY, 0644);
        if (fd < 0 || pwrite(fd, "x", 1, atol(argv[3])) != 1)
            return fail(path);
        return close(fd);
    }
    if (strcmp(verb, "cat") == 0 && argc == 4) { /* without a shell in between */
        char buf[8192];
        int in = open(path, O_RDONLY), out = open(argv[3], O_CREAT | O_WRONLY, 0644);
        ssize_t n = in < 0 || out < 0 ? -1 : read(in, buf, sizeof buf);
        return n < 0 || write(out, buf, (size_t)n) != n ? fail(path) : 0;
    }
    if (strcmp(verb, "exchange") == 0 && argc == 4)
        return renameat2(AT_FDCWD, path, AT_FDCWD, argv[3], RENAME_EXCHANGE) ? fail(path) : 0;
    if (strcmp(verb, "rename") == 0 && argc == 4)
        return rename(path, argv[3]) ? fail(path) : 0;
    if (strcmp(verb, "argv") == 0) { /* one argument a line, in brackets */
        for (int i = 2; i < argc; i++)
            printf("[%s]\n", argv[i]);
        return 0;
    }
    fprintf(stderr, "probe: %s?\n", verb);
    return 2;
}
