// Eight threads allocate 16 blocks each, hold them at the same time, and free and allocate at once.
#include <pthread.h>
#include "card.h"

enum { THREADS = 8, BLOCKS = 16, ROUNDS = 200 };

static pthread_barrier_t all;
static Handle context;

static void *work(void *number) {
    size_t bytes = 1000 * ((size_t)number + 1);
    Address blocks[BLOCKS];
    must(cuCtxSetCurrent(context));
    for (int i = 0; i < BLOCKS; i++) blocks[i] = allocated(bytes);
    pthread_barrier_wait(&all);
    for (int i = 0; i < BLOCKS; i++) must(cuMemFreeAsync(blocks[i], 0));
    for (int i = 0; i < ROUNDS; i++) must(cuMemFreeAsync(allocated(bytes), 0));
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    must(cuInit(0));
    must(cuDevicePrimaryCtxRetain(&context, 0));
    pthread_barrier_init(&all, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}
