// Holds as many bytes of the card as the first line of its stdin says, and reads no further than a read
// takes it.
#include "card.h"

int main(void) {
    char line[4096];
    ssize_t taken = read(0, line, sizeof line - 1);
    if (taken < 1) return 1;
    line[taken] = 0;
    open_card();
    must(cuMemFreeAsync(allocated(bytes_of(line)), 0));
}
