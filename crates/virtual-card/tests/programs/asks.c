// Does before its peak what keeps a peak from being exact.
#include "card.h"

int main(int count, char **arguments) {
    (void)count;
    open_card();
    Handle handle, other;
    Address address;
    if (told(arguments, "free memory")) {
        size_t free, total;
        must(cuMemGetInfo_v2(&free, &total));
        if (free >= total) return 1;
    }
    if (told(arguments, "times")) {
        float milliseconds = -1;
        must(cuEventCreate(&handle, 0));
        must(cuEventCreate(&other, 0));
        must(cuEventRecord(handle, 0));
        must(cuEventRecord(other, 0));
        must(cuEventElapsedTime(&milliseconds, handle, other));
        if (milliseconds < 0) return 1;
    }
    if (told(arguments, "attribute")) {
        int value = 7;
        must(cuDeviceGetAttribute(&value, 9999, 0));
        must(cuDeviceGetAttribute(&value, 75, 0));
        if (value != 9) return 1;
    }
    if (told(arguments, "graph")) answers(NOT_SUPPORTED, cuGraphCreate(&handle, 0));
    if (told(arguments, "capture")) {
        must(cuStreamCreate(&handle, 0));
        answers(NOT_SUPPORTED, cuStreamBeginCapture_v2(handle, 0));
    }
    if (told(arguments, "managed")) {
        must(cuMemAllocManaged(&address, 1 << 20, 1));
        // The host sees it.
        memset((void *)address, 1, 1 << 20);
        must(cuMemFree_v2(address));
    }
    if (told(arguments, "streams")) {
        must(cuStreamCreate(&handle, 0));
        must(cuMemAllocAsync(&address, 512, handle));
    }
    if (told(arguments, "tables")) {
        const void *table;
        answers(NOT_FOUND, cuGetExportTable(&table, "an id of 16 byte"));
    }
    allocated(2 << 20);
}
