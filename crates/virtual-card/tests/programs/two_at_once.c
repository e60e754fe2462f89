// Two processes allocate the bytes that they are told, and hold them at the same time.
#include <sys/wait.h>
#include "card.h"

// Tells the other that it holds, and waits until the other does.
static void meet(int to, int from) {
    char byte = 0;
    if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1) exit(1);
}

int main(int count, char **arguments) {
    (void)count;
    int there[2], back[2], status;
    if (pipe(there) || pipe(back)) return 1;
    pid_t copy = fork();
    open_card();
    Address address = allocated(bytes_of(arguments[1]));
    copy ? meet(there[1], back[0]) : meet(back[1], there[0]);
    must(cuMemFreeAsync(address, 0));
    if (copy && (waitpid(copy, &status, 0) != copy || status)) return 1;
}
