// Makes pools of its own: on a second card, destroyed while memory of it is alive, or many in a row.
#include "card.h"

// As `CUmemPoolProps` and `CUmemLocation`.
struct Location {
    int kind, number;
};
struct PoolProperties {
    int allocation, handles;
    struct Location location;
    void *security;
    size_t most;
    unsigned short usage;
    unsigned char reserved[54];
};

int cuMemPoolCreate(Handle *pool, const struct PoolProperties *properties);
int cuMemPoolDestroy(Handle pool);
int cuDeviceSetMemPool(int device, Handle pool);

static Handle made(int card) {
    struct PoolProperties properties = {.allocation = 1, .location = {1, card}};
    Handle pool;
    must(cuMemPoolCreate(&pool, &properties));
    return pool;
}

int main(int count, char **arguments) {
    (void)count;
    Address address;
    open_card();
    if (told(arguments, "second card")) {
        must(cuMemAllocFromPoolAsync(&address, 3000, made(1), 0));
        must(cuMemFreeAsync(address, 0));
    }
    if (told(arguments, "destroyed")) {
        Handle pool = made(0);
        must(cuDeviceSetMemPool(0, pool));
        address = allocated(3000);
        must(cuMemPoolDestroy(pool));
        answers(INVALID_VALUE, cuMemAllocFromPoolAsync(&(Address){0}, 1, pool, 0));
        mark("destroyed");
        // Of the card's own pool again.
        must(cuMemFreeAsync(allocated(500), 0));
        must(cuMemFreeAsync(address, 0));
    }
    if (told(arguments, "many")) {
        for (int i = 0; i < 200; i++) {
            Handle pool = made(0);
            must(cuMemAllocFromPoolAsync(&address, 1000, pool, 0));
            must(cuMemFreeAsync(address, 0));
            must(cuMemPoolDestroy(pool));
        }
    }
    mark("done");
}
