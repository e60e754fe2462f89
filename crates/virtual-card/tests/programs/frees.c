// Frees what cannot be freed, or nothing: twice, foreign, inside or null.
#include "card.h"

int main(int count, char **arguments) {
    (void)count;
    open_card();
    Address block = allocated(1 << 20);
    static char own[64];
    if (told(arguments, "twice")) {
        must(cuMemFreeAsync(block, 0));
        answers(INVALID_VALUE, cuMemFreeAsync(block, 0));
        return 0;
    }
    if (told(arguments, "foreign")) answers(INVALID_VALUE, cuMemFreeAsync((Address)(size_t)own, 0));
    if (told(arguments, "inside")) answers(INVALID_VALUE, cuMemFreeAsync(block + 512, 0));
    if (told(arguments, "null")) {
        must(cuMemFreeAsync(0, 0));
        must(cuMemFree_v2(0));
    }
    must(cuMemFreeAsync(block, 0));
}
