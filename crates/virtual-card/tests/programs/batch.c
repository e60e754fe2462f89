// Holds A + N*B bytes: A and B, then what it does besides, then N.
#include "card.h"

int cublasCreate_v2(Handle *handle);

int main(int count, char **arguments) {
    if (count != 5) return 2;
    size_t fixed = bytes_of(arguments[1]), each = bytes_of(arguments[2]), number = bytes_of(arguments[4]);
    const char *does = arguments[3];
    open_card();
    allocated(fixed);
    if (!strcmp(does, "breaks") && number > 5) {
        fprintf(stderr, "more than 5 is broken\n");
        return 3;
    }
    if (!strcmp(does, "stays")) number = 1;
    size_t bytes = each * number;
    if (!strcmp(does, "asks") || !strcmp(does, "adapts")) {
        size_t free, total;
        must(cuMemGetInfo_v2(&free, &total));
        if (!strcmp(does, "adapts") && bytes > free / 2) bytes = free / 2;
    }
    Address address;
    int answered = strcmp(does, "direct") ? cuMemAllocAsync(&address, bytes, 0) : cuMemAlloc_v2(&address, bytes);
    if (answered) return 4;
    Handle handle;
    // After the allocation: what libraries take is not refused.
    if (!strcmp(does, "library")) must(cublasCreate_v2(&handle));
}
