// Holds what is not a pool's: page-locked memory of the host, mapped by the card or not, and memory that is
// made and mapped in steps.
#include "card.h"

int cuMemHostAlloc(void **address, size_t bytes, unsigned flags);
int cuMemAllocHost_v2(void **address, size_t bytes);
int cuMemFreeHost(void *address);
int cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags);
int cuMemHostUnregister(void *address);

int main(int count, char **arguments) {
    (void)count;
    static char own[5000];
    void *locked, *more;
    open_card();
    Address address = allocated(512);
    if (told(arguments, "locked")) {
        must(cuMemAllocHost_v2(&locked, 3000));
        must(cuMemHostAlloc(&more, 2000, 0));
        must(cuMemHostRegister_v2(own, sizeof own, 0));
        // The card's memory reaches it.
        must(cuMemcpyHtoD_v2(address, locked, 512));
        must(cuMemcpyDtoH_v2(more, address, 512));
        must(cuMemHostUnregister(own));
        must(cuMemFreeHost(locked));
        must(cuMemFreeHost(more));
        answers(INVALID_VALUE, cuMemFreeHost(more));
    }
    if (told(arguments, "mapped")) must(cuMemHostAlloc(&locked, 1000, 2));
    int early = told(arguments, "released early");
    if (told(arguments, "in steps") || early) {
        struct Properties properties = {.kind = 1, .location = 1};
        Handle memory;
        Address place;
        size_t granule;
        unsigned written = 7, read = 0;
        must(cuMemGetAllocationGranularity(&granule, &properties, 0));
        answers(INVALID_VALUE, cuMemCreate(&memory, granule + 1, &properties, 0));
        must(cuMemCreate(&memory, 3 * granule, &properties, 0));
        must(cuMemAddressReserve(&place, 3 * granule, 0, 0, 0));
        must(cuMemMap(place, 3 * granule, 0, memory, 0));
        must(cuMemcpyHtoD_v2(place + granule, &written, sizeof written));
        must(cuMemcpyDtoH_v2(&read, place + granule, sizeof read));
        if (read != written) return 1;
        if (early) must(cuMemRelease(memory));
        // More than without it, if it is there still.
        must(cuMemFreeAsync(allocated(1000), 0));
        must(cuMemUnmap(place, 3 * granule));
        if (!early) must(cuMemRelease(memory));
        answers(INVALID_VALUE, cuMemRelease(memory));
        must(cuMemAddressFree(place, 3 * granule));
    }
    must(cuMemFreeAsync(address, 0));
}
