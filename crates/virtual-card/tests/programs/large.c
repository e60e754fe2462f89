// Holds two allocations of a tebibyte and a half of a pool, and one outside, and frees all three.
#include "card.h"

int main(void) {
    open_card();
    Address first = allocated(3ull << 39), second = allocated(3ull << 39), direct;
    must(cuMemAlloc_v2(&direct, 4 << 20));
    must(cuMemFreeAsync(second, 0));
    must(cuMemFree_v2(direct));
    must(cuMemFreeAsync(first, 0));
}
