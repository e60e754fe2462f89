// The same as reads.c with memory outside pools alone.
#define cuMemAllocAsync(address, bytes, stream) cuMemAlloc_v2(address, bytes)
#define cuMemFreeAsync(address, stream) cuMemFree_v2(address)
#include "reads.c"
