// Asks for more than the card has, of a pool or outside of one, beside a mebibyte that it has.
#include "card.h"

int main(int count, char **arguments) {
    (void)count;
    open_card();
    Address small = allocated(1 << 20), large;
    size_t bytes = bytes_of(arguments[2]);
    if (told(arguments, "pool")) answers(OUT_OF_MEMORY, cuMemAllocAsync(&large, bytes, 0));
    if (told(arguments, "direct")) answers(OUT_OF_MEMORY, cuMemAlloc_v2(&large, bytes));
    must(cuMemFreeAsync(small, 0));
}
