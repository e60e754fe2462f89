// Allocates the bytes that it is told, and kills itself in the middle, leaves at once, or lives on.
#include <signal.h>
#include "card.h"

int main(int count, char **arguments) {
    (void)count;
    open_card();
    Address address = allocated(bytes_of(arguments[2]));
    if (told(arguments, "kill")) kill(getpid(), SIGKILL);
    if (told(arguments, "leave")) _exit(0);
    must(cuMemFreeAsync(address, 0));
}
