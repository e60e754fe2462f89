// Asks for no bytes, of which a pool makes an allocation without an address, beside 512 that count.
#include "card.h"

int main(void) {
    open_card();
    Handle pool;
    must(cuDeviceGetDefaultMemPool(&pool, 0));
    Address none = 7, none_of_pool = 7;
    must(cuMemAllocAsync(&none, 0, 0));
    must(cuMemAllocFromPoolAsync(&none_of_pool, 0, pool, 0));
    if (none || none_of_pool) return 1;
    must(cuMemFreeAsync(none, 0));
    // Outside pools the driver refuses it.
    answers(INVALID_VALUE, cuMemAlloc_v2(&none, 0));
    must(cuMemFreeAsync(allocated(512), 0));
}
