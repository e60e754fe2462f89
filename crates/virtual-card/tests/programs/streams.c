// Allocates on two cards, on the stream that each context has: the host waits for one card, and the other's
// pool keeps what it has. With an argument, on streams that are made on each, from the other's context.
#include "card.h"

int cuMemPoolGetAttribute(Handle pool, int attribute, void *value);

enum { FIRST = 1, SECOND = 3, RESERVED = 5, GRANULE = 32 << 20 };

static Handle contexts[4], streams[4];

static void use(int card) {
    must(cuCtxSetCurrent(contexts[card]));
}

// Holds what is freed until the host waits.
static void take(int card) {
    Address address;
    must(cuMemAllocAsync(&address, 1000, streams[card]));
    must(cuMemFreeAsync(address, streams[card]));
}

static void reserves(int card, unsigned long long bytes) {
    Handle pool;
    unsigned long long reserved;
    must(cuDeviceGetDefaultMemPool(&pool, card));
    must(cuMemPoolGetAttribute(pool, RESERVED, &reserved));
    if (reserved == bytes) return;
    fprintf(stderr, "card %d reserves %llu, not %llu\n", card, reserved, bytes);
    exit(1);
}

int main(int count, char **arguments) {
    int made = count > 1 && told(arguments, "made");
    must(cuInit(0));
    for (int card = FIRST; card <= SECOND; card += SECOND - FIRST) {
        must(cuDevicePrimaryCtxRetain(&contexts[card], card));
        use(card);
        if (made) must(cuStreamCreate(&streams[card], 0));
    }
    use(FIRST);
    if (made) take(SECOND);
    take(FIRST);
    use(SECOND);
    if (!made) take(SECOND);
    reserves(FIRST, GRANULE);
    reserves(SECOND, GRANULE);
    // The legacy stream waits for the other of its card.
    must(cuStreamSynchronize(0));
    reserves(FIRST, GRANULE);
    reserves(SECOND, 0);
    use(FIRST);
    must(cuStreamSynchronize(streams[FIRST]));
    reserves(FIRST, 0);
}
