#include <unistd.h>

int main(void)
{
    static const char text[] = "Hello from stave!\n";
    return write(STDOUT_FILENO, text, sizeof text - 1) == sizeof text - 1 ? 0 : 1;
}
