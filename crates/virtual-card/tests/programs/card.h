// What the programs here call of NVIDIA's libraries, declared as its headers do, and what they share.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long Address;
typedef void *Handle;

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NOT_FOUND = 500, NOT_SUPPORTED = 801 };

int cuInit(unsigned flags);
int cuDevicePrimaryCtxRetain(Handle *context, int device);
int cuCtxSetCurrent(Handle context);
int cuCtxSynchronize(void);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuDeviceGetDefaultMemPool(Handle *pool, int device);
int cuMemPoolTrimTo(Handle pool, size_t keep);
int cuMemPoolSetAttribute(Handle pool, int attribute, void *value);
int cuMemAllocAsync(Address *address, size_t bytes, Handle stream);
int cuMemAllocFromPoolAsync(Address *address, size_t bytes, Handle pool, Handle stream);
int cuMemFreeAsync(Address address, Handle stream);
int cuMemAlloc_v2(Address *address, size_t bytes);
int cuMemAllocManaged(Address *address, size_t bytes, unsigned flags);
int cuMemHostAlloc(void **at, size_t bytes, unsigned flags);
int cuMemFreeHost(void *at);
int cuMemFree_v2(Address address);
int cuMemGetInfo_v2(size_t *free, size_t *total);
int cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes);
int cuMemcpyDtoH_v2(void *to, Address from, size_t bytes);
int cuMemcpyDtoD_v2(Address to, Address from, size_t bytes);
int cuMemsetD8_v2(Address to, unsigned char value, size_t count);
int cuMemsetD32_v2(Address to, unsigned value, size_t count);
int cuModuleLoadData(Handle *module, const void *image);
int cuModuleGetFunction(Handle *function, Handle module, const char *name);
int cuLaunchKernel(Handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, Handle stream, void **arguments,
                   void **extra);
int cuStreamCreate(Handle *stream, unsigned flags);
int cuStreamBeginCapture_v2(Handle stream, int mode);
int cuEventCreate(Handle *event, unsigned flags);
int cuEventRecord(Handle event, Handle stream);
int cuEventSynchronize(Handle event);
int cuEventDestroy_v2(Handle event);
int cuStreamSynchronize(Handle stream);
int cuStreamWaitEvent(Handle stream, Handle event, unsigned flags);
int cuEventElapsedTime(float *milliseconds, Handle from, Handle to);
int cuGraphCreate(Handle *graph, unsigned flags);
int cuGetExportTable(const void **table, const void *id);

// As `CUmemAllocationProp`.
struct Properties {
    int kind, handles, location, number;
    void *security;
    unsigned char flags[8];
};

int cuMemGetAllocationGranularity(size_t *bytes, const struct Properties *properties, int option);
int cuMemCreate(Handle *memory, size_t bytes, const struct Properties *properties, unsigned long long flags);
int cuMemRelease(Handle memory);
int cuMemAddressReserve(Address *address, size_t bytes, size_t alignment, Address hint, unsigned long long flags);
int cuMemAddressFree(Address address, size_t bytes);
int cuMemMap(Address address, size_t bytes, size_t offset, Handle memory, unsigned long long flags);
int cuMemUnmap(Address address, size_t bytes);

// Ends the program where a call does not answer what it should.
#define answers(code, call)                                                                          \
    do {                                                                                             \
        int answered = (call);                                                                       \
        if (answered != (code)) {                                                                    \
            fprintf(stderr, "%s:%d: " #call " answered %d, not %d\n", __FILE__, __LINE__, answered, code); \
            exit(1);                                                                                 \
        }                                                                                            \
    } while (0)
#define must(call) answers(SUCCESS, call)

// Makes the context of the first card the thread's.
static inline void open_card(void) {
    Handle context;
    must(cuInit(0));
    must(cuDevicePrimaryCtxRetain(&context, 0));
    must(cuCtxSetCurrent(context));
}

// Memory of the card's pool.
static inline Address allocated(size_t bytes) {
    Address address;
    must(cuMemAllocAsync(&address, bytes, 0));
    return address;
}

// The number of bytes that an argument names.
static inline size_t bytes_of(const char *argument) {
    return strtoull(argument, NULL, 0);
}

// Sets a mark, as `vram_metrics::mark` does where there is a listener.
extern void vram_virtual_card_mark(const char *name, size_t bytes) __attribute__((weak));
extern void vram_trace_mark(const char *name, size_t bytes) __attribute__((weak));
static inline void mark(const char *name) {
    if (vram_trace_mark) vram_trace_mark(name, strlen(name));
    if (vram_virtual_card_mark) vram_virtual_card_mark(name, strlen(name));
}

// Whether the program was told to do this.
static inline int told(char **arguments, const char *what) {
    return arguments[1] && !strcmp(arguments[1], what);
}
