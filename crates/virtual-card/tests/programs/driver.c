// A driver that has counters and nothing else. `LIES` bytes more are used, it says.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long Address;
typedef unsigned long long Bytes;
typedef void *Handle;

enum { MOST = 1 << 16, GRANULE = 32 << 20, TOTAL = 1 << 30 };

struct Pool {
    Bytes used, used_high, reserved, reserved_high, threshold;
    int flags[3];
};
static struct { struct Pool *pool; Bytes bytes; } blocks[MOST];
static struct Pool pool_of_card, *current = &pool_of_card;
static Bytes outside;
static int next;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local Handle context;

int cuInit(unsigned flags) { return flags ? 1 : 0; }
int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
int cuDeviceGetName(char *name, int room, int device) { return snprintf(name, room, "a card %d", device), 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { return (void)device, *bytes = TOTAL, 0; }
int cuDevicePrimaryCtxRetain(Handle *to, int device) { return (void)device, *to = (Handle)0xc0, 0; }
int cuCtxSetCurrent(Handle to) { return context = to, 0; }
int cuCtxGetCurrent(Handle *to) { return *to = context, 0; }
int cuCtxGetDevice(int *device) { return *device = 0, context ? 0 : 201; }
int cuCtxSynchronize(void) { return 0; }
int cuStreamCreate(Handle *to, unsigned flags) { return (void)flags, *to = malloc(1), 0; }
int cuStreamSynchronize(Handle stream) { return (void)stream, 0; }
int cuEventCreate(Handle *to, unsigned flags) { return (void)flags, *to = malloc(1), 0; }
int cuEventRecord(Handle event, Handle stream) { return (void)event, (void)stream, 0; }
int cuEventSynchronize(Handle event) { return (void)event, 0; }
int cuEventDestroy_v2(Handle event) { return free(event), 0; }
int cuStreamWaitEvent(Handle stream, Handle event, unsigned flags) { return (void)stream, (void)event, (void)flags, 0; }
int cuDeviceGetDefaultMemPool(Handle *to, int device) { return (void)device, *to = &pool_of_card, 0; }
int cuDeviceGetMemPool(Handle *to, int device) { return (void)device, *to = current, 0; }
int cuDeviceSetMemPool(int device, Handle to) { return (void)device, current = to, 0; }
int cuMemPoolCreate(Handle *to, const int *properties) { return (void)properties, *to = calloc(1, sizeof(struct Pool)), 0; }

static int take(Address *to, struct Pool *pool, Bytes bytes) {
    if (bytes > TOTAL) return 2;
    pthread_mutex_lock(&lock);
    while (blocks[next].bytes) next = (next + 1) % MOST;
    *to = 0x7000000000ull + next * 512ull;
    blocks[next].pool = pool;
    blocks[next].bytes = bytes;
    next = (next + 1) % MOST;
    if (pool) {
        pool->used += bytes;
        if (pool->used > pool->used_high) pool->used_high = pool->used;
        while (pool->reserved < pool->used) pool->reserved += GRANULE;
        if (pool->reserved > pool->reserved_high) pool->reserved_high = pool->reserved;
    } else outside += bytes;
    pthread_mutex_unlock(&lock);
    return 0;
}

static int give(Address address) {
    unsigned i = (address - 0x7000000000ull) / 512;
    if (i >= MOST || !blocks[i].bytes) return 1;
    pthread_mutex_lock(&lock);
    if (blocks[i].pool) blocks[i].pool->used -= blocks[i].bytes;
    else outside -= blocks[i].bytes;
    blocks[i].bytes = 0;
    pthread_mutex_unlock(&lock);
    return 0;
}

int cuMemAllocAsync(Address *to, size_t bytes, Handle stream) { return (void)stream, take(to, current, bytes); }
int cuMemAllocAsync_ptsz(Address *to, size_t bytes, Handle stream) { return (void)stream, take(to, current, bytes); }
int cuMemAllocFromPoolAsync(Address *to, size_t bytes, Handle pool, Handle stream) { return (void)stream, take(to, pool, bytes); }
int cuMemFreeAsync(Address address, Handle stream) { return (void)stream, give(address); }
int cuMemFreeAsync_ptsz(Address address, Handle stream) { return (void)stream, give(address); }
int cuMemAlloc_v2(Address *to, size_t bytes) { return take(to, NULL, bytes); }
int cuMemAlloc(unsigned *to, unsigned bytes) { return (void)bytes, *to = 7, 0; }
int cuMemAllocPitch_v2(Address *to, size_t *pitch, size_t width, size_t height, unsigned element) {
    return (void)element, *pitch = (width + 511) / 512 * 512, take(to, NULL, *pitch * height);
}
int cuMemFree_v2(Address address) { return give(address); }
int cuMemHostAlloc(void **to, size_t bytes, unsigned flags) { return (void)flags, *to = malloc(bytes), 0; }
int cuMemFreeHost(void *at) { return free(at), 0; }
int cuMemPoolTrimTo(Handle of, size_t keep) {
    struct Pool *pool = of;
    pool->reserved = pool->used > keep ? pool->used : keep;
    return 0;
}
int cuMemGetInfo_v2(size_t *free, size_t *total) {
    *total = TOTAL;
    *free = TOTAL - (1 << 20) - outside - pool_of_card.reserved;
    return 0;
}

int cuMemPoolGetAttribute(Handle of, int attribute, void *value) {
    struct Pool *pool = of;
    Bytes lies = getenv("LIES") ? strtoull(getenv("LIES"), NULL, 0) : 0;
    if (attribute < 4) return *(int *)value = pool->flags[attribute - 1], 0;
    Bytes values[] = {pool->threshold, pool->reserved, pool->reserved_high, pool->used + lies, pool->used_high};
    return *(Bytes *)value = values[attribute - 4], 0;
}

int cuMemPoolSetAttribute(Handle of, int attribute, void *value) {
    struct Pool *pool = of;
    if (attribute < 4) pool->flags[attribute - 1] = *(int *)value;
    if (attribute == 4) pool->threshold = *(Bytes *)value;
    if (attribute == 6) pool->reserved_high = pool->reserved;
    if (attribute == 8) pool->used_high = pool->used;
    return 0;
}

// Arguments of every kind: each answers their sum.
int cuParamSetf(Handle function, int offset, float value) { return (long)function + offset + (int)(value * 4); }
int cuLaunchKernel(Handle function, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f, unsigned g,
                   Handle stream, void **arguments, void **extra) {
    return (long)function + a + b + c + d + e + f + g + (long)stream + (long)arguments + (long)extra;
}
struct Location { int kind, number; };
int cuMemPrefetchAsync_v2(Address at, size_t bytes, struct Location to, unsigned flags, Handle stream) {
    return at + bytes + to.kind + to.number + flags + (long)stream;
}
struct Memory { char bytes[64]; };
int cuIpcOpenMemHandle_v2(Address *to, struct Memory memory, unsigned flags) {
    int sum = *to + flags;
    for (int i = 0; i < 64; i++) sum += memory.bytes[i];
    return sum;
}

int cuGetProcAddress_v2(const char *name, void **to, int version, unsigned long long flags, int *status) {
    char whole[99];
    snprintf(whole, sizeof whole, "%s%s", name, flags & 2 ? "_ptsz" : "");
    Dl_info own;
    dladdr((void *)take, &own);
    void *library = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    *to = dlsym(library, whole);
    if (!*to || (version >= 3020 && !strcmp(name, "cuMemAlloc"))) {
        snprintf(whole, sizeof whole, "%s_v2", name);
        *to = dlsym(library, whole);
    }
    if (status) *status = *to ? 0 : 1;
    return 0;
}
int cuGetProcAddress(const char *name, void **to, int version, unsigned long long flags) {
    cuGetProcAddress_v2(name, to, version, flags, NULL);
    return *to ? 0 : 500;
}
