// Uses two of the machine's cards until one of them falls off the bus, and looks at what is left: in
// processes that had used it, that begin with it lost, and that never use it. The second argument is the
// file that names lost cards.
#include "card.h"

int cuDeviceGetCount(int *count);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetName(char *name, int room, int device);
int cuGetErrorName(int code, const char **name);
int cuCtxGetDevice(int *device);
int cublasCreate_v2(Handle *handle);
int cublasSgemm_v2(Handle handle);
int cudaMemGetInfo(size_t *free, size_t *total);
int nvmlInit_v2(void);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle *card);
int nvmlDeviceGetName(Handle card, char *name, unsigned room);
int nvmlDeviceGetHandleByUUID(const char *uuid, Handle *card);
const char *nvmlErrorString(int code);

enum { UNAVAILABLE = 46, UNKNOWN = 999, EXECUTION_FAILED = 13, GPU_IS_LOST = 15, KEPT = 0, LOST = 2 };

static Handle contexts[4];

static void use(int card) {
    must(cuDevicePrimaryCtxRetain(&contexts[card], card));
    must(cuCtxSetCurrent(contexts[card]));
}

static void lose(const char *file) {
    FILE *to = fopen(file, "w");
    if (!to || fprintf(to, "%d\n", LOST) < 0 || fclose(to)) exit(1);
}

// Of a card on which something was under way.
static void under_way(const char *file) {
    Handle monitor, blas, stream, event, pool;
    Address kept, lost, more;
    size_t free, total;
    int device;
    char bytes[512];
    float milliseconds;
    const char *name;
    must(nvmlInit_v2());
    must(nvmlDeviceGetHandleByIndex_v2(LOST, &monitor));
    use(KEPT);
    kept = allocated(1000);
    use(LOST);
    lost = allocated(2000);
    must(cublasCreate_v2(&blas));
    must(cublasSgemm_v2(blas));
    must(cuStreamCreate(&stream, 0));
    must(cuEventCreate(&event, 0));
    must(cuEventRecord(event, stream));
    must(cuDeviceGetDefaultMemPool(&pool, LOST));
    if (file) lose(file);
    else answers(UNKNOWN, cuMemAllocAsync(&more, 512, 0));

    answers(UNKNOWN, cuMemAllocAsync(&more, 512, 0));
    answers(UNKNOWN, cuMemAllocFromPoolAsync(&more, 512, pool, 0));
    answers(UNKNOWN, cuMemAlloc_v2(&more, 512));
    answers(UNKNOWN, cuMemFreeAsync(lost, 0));
    answers(UNKNOWN, cuMemGetInfo_v2(&free, &total));
    answers(UNKNOWN, cuMemcpyDtoH_v2(bytes, lost, sizeof bytes));
    answers(UNKNOWN, cuMemsetD8_v2(lost, 0, 512));
    answers(UNKNOWN, cuMemPoolTrimTo(pool, 0));
    answers(UNKNOWN, cuStreamSynchronize(stream));
    answers(UNKNOWN, cuStreamCreate(&stream, 0));
    answers(UNKNOWN, cuEventSynchronize(event));
    answers(UNKNOWN, cuEventElapsedTime(&milliseconds, event, event));
    answers(UNKNOWN, cuCtxSynchronize());
    answers(UNKNOWN, cudaMemGetInfo(&free, &total));
    answers(EXECUTION_FAILED, cublasSgemm_v2(blas));
    must(cuGetErrorName(UNKNOWN, &name));
    answers(0, strcmp(name, "CUDA_ERROR_UNKNOWN"));
    answers(GPU_IS_LOST, nvmlDeviceGetName(monitor, bytes, sizeof bytes));
    answers(0, strcmp(nvmlErrorString(GPU_IS_LOST), "GPU is lost"));
    // What the driver knows of it, and the other.
    must(cuCtxGetDevice(&device));
    must(cuDeviceGetName(bytes, sizeof bytes, device));
    must(cuCtxSetCurrent(contexts[KEPT]));
    answers(UNKNOWN, cuMemcpyDtoD_v2(kept, lost, 512));
    must(cuMemFreeAsync(kept, 0));
    must(cuMemFreeAsync(allocated(3000), 0));
    must(cuCtxSynchronize());
}

// With the card lost before: the others keep their numbers.
static void begin_without(void) {
    Handle context, monitor;
    int count, device;
    must(cuDeviceGetCount(&count));
    must(cuDeviceGet(&device, LOST));
    answers(0, count != 4 || device != LOST);
    answers(UNAVAILABLE, cuDevicePrimaryCtxRetain(&context, LOST));
    answers(UNAVAILABLE, cuDeviceGetDefaultMemPool(&context, LOST));
    must(nvmlInit_v2());
    answers(GPU_IS_LOST, nvmlDeviceGetHandleByIndex_v2(LOST, &monitor));
    answers(GPU_IS_LOST, nvmlDeviceGetHandleByUUID("GPU-76697274-7561-6c20-6361-726400000002", &monitor));
    must(nvmlDeviceGetHandleByIndex_v2(3, &monitor));
    use(3);
    must(cuMemFreeAsync(allocated(4000), 0));
}

int main(int count, char **arguments) {
    must(cuInit(0));
    if (told(arguments, "under way")) under_way(count > 2 ? arguments[2] : NULL);
    if (told(arguments, "before")) begin_without();
    if (told(arguments, "both")) {
        // One process loses it to the next: the file is gone by then, and a lost card does not come back.
        under_way(arguments[2]);
        if (remove(arguments[2])) return 1;
        arguments[1] = "before";
        execv("/proc/self/exe", arguments);
        return 1;
    }
}
