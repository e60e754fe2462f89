// Leaves allocations alive, or frees them in a destructor.
#include "card.h"

static Address of_pool, direct;
static int frees;

__attribute__((destructor)) static void after_main(void) {
    if (!frees) return;
    must(cuMemFreeAsync(of_pool, 0));
    must(cuMemFree_v2(direct));
}

int main(int count, char **arguments) {
    (void)count;
    open_card();
    must(cuMemFreeAsync(allocated(99), 0));
    of_pool = allocated(1000);
    must(cuMemAlloc_v2(&direct, (3 << 20) + 1));
    frees = told(arguments, "freed");
}
