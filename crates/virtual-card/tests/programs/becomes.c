// Allocates the bytes that it is told, and becomes the program that it is told, with its arguments.
#include "card.h"

int main(int count, char **arguments) {
    (void)count;
    open_card();
    allocated(bytes_of(arguments[1]));
    execv(arguments[2], arguments + 2);
    return 1;
}
