// Calls a driver: `linked`, `opened` by its name, or `asked` for its functions.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "card.h"

enum { THREADS = 8, ROUNDS = 5000 };

typedef int Ask(const char *, void **, int, unsigned long long, int *);
struct Memory { char bytes[64]; };
struct Location { int kind, number; };
int cuGetProcAddress_v2(const char *name, void **to, int version, unsigned long long flags, int *status);
int cuParamSetf(Handle function, int offset, float value);
int cuMemPrefetchAsync_v2(Address at, size_t bytes, struct Location to, unsigned flags, Handle stream);
int cuIpcOpenMemHandle_v2(Address *to, struct Memory memory, unsigned flags);
int cuMemAllocPitch_v2(Address *to, size_t *pitch, size_t width, size_t height, unsigned element);
int cuMemPoolCreate(Handle *to, const struct Properties *properties);
int cuMemAlloc(unsigned *to, unsigned bytes);
int cuGLInit(void);

static void *found(char **arguments, const char *name, unsigned long long flags) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library) exit(2);
    if (!strcmp(arguments[1], "opened")) return dlsym(library, name);
    void *to = NULL;
    int status = 9;
    Ask *ask = (Ask *)dlsym(library, "cuGetProcAddress_v2");
    must(ask(name, &to, 12000, flags, &status));
    if (status || !to) exit(3);
    return to;
}

static void by_address(char **arguments, const char *allocate_outside, unsigned long long flags) {
    int (*allocate)(Address *, size_t, Handle) = (int (*)(Address *, size_t, Handle))found(arguments, "cuMemAllocAsync", flags);
    int (*outside)(Address *, size_t) = (int (*)(Address *, size_t))found(arguments, allocate_outside, 0);
    int (*release)(Address, Handle) = (int (*)(Address, Handle))found(arguments, "cuMemFreeAsync", flags);
    Address first, second;
    must(allocate(&first, 3000, NULL));
    must(outside(&second, 5000));
    mark("both");
    must(release(first, NULL));
}

static Handle context;

static void *work(void *number) {
    Address kept;
    must(cuCtxSetCurrent(context));
    must(cuMemAllocAsync(&kept, 1000, 0));
    for (int i = 0; i < ROUNDS; i++) must(cuMemFreeAsync(allocated(1 + (size_t)number * 997 + i), 0));
    must(cuMemFreeAsync(kept, 0));
    return NULL;
}

static void arguments_of_every_kind(void) {
    struct Memory memory;
    Address address = 3;
    unsigned small;
    memset(&memory, 2, sizeof memory);
    for (int i = 0; i < 1000; i++) {
        answers(100 + 7 + 10, cuParamSetf((Handle)100, 7, 2.5f));
        answers(66, cuLaunchKernel((Handle)1, 2, 3, 4, 5, 6, 7, 8, (Handle)9, (void **)10, (void **)11));
        answers(21, cuMemPrefetchAsync_v2(1, 2, (struct Location){3, 4}, 5, (Handle)6));
        answers(128 + 3 + 4, cuIpcOpenMemHandle_v2(&address, memory, 4));
    }
    must(cuMemAlloc(&small, 10));
    answers(NOT_SUPPORTED, cuGLInit());
}

static void pools(void) {
    Handle pool, other;
    Address a, b, c;
    unsigned long long zero = 0;
    size_t pitch;
    struct Properties properties = {1, 0, 1, 0, NULL, {0}};
    must(cuDeviceGetDefaultMemPool(&pool, 0));
    must(cuMemPoolSetAttribute(pool, 4, &zero));
    must(cuMemAllocAsync(&a, 50 << 20, 0));
    must(cuMemFreeAsync(a, 0));
    must(cuMemPoolTrimTo(pool, 0));
    must(cuMemPoolSetAttribute(pool, 6, &zero));
    must(cuMemPoolSetAttribute(pool, 8, &zero));
    must(cuMemAllocAsync(&a, 1000, 0));
    must(cuMemPoolCreate(&other, &properties));
    must(cuMemAllocFromPoolAsync(&b, 2000, other, 0));
    must(cuMemAllocPitch_v2(&c, &pitch, 10, 3, 4));
    answers(OUT_OF_MEMORY, cuMemAllocAsync(&c, 2ull << 30, 0));
    mark("two pools");
    must(cuMemFree_v2(a));
    must(cuCtxSynchronize());
    must(cuCtxSynchronize());
}

int main(int count, char **arguments) {
    (void)count;
    if (told(arguments, "nothing")) return 0;
    open_card();
    must(cuDevicePrimaryCtxRetain(&context, 0));
    if (told(arguments, "linked")) {
        Address address, other;
        must(cuMemAllocAsync(&address, 3000, 0));
        must(cuMemAlloc_v2(&other, 5000));
        mark("both");
        must(cuMemFreeAsync(address, 0));
    }
    if (told(arguments, "opened")) by_address(arguments, "cuMemAlloc_v2", 0);
    if (told(arguments, "asked")) by_address(arguments, "cuMemAlloc", arguments[2] ? 2 : 0);
    if (told(arguments, "arguments")) arguments_of_every_kind();
    if (told(arguments, "pools")) pools();
    if (told(arguments, "threads")) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    }
    if (told(arguments, "forks")) {
        int status;
        allocated(1000);
        pid_t copy = fork();
        if (!copy) {
            allocated(2000);
            mark("in the copy");
            _exit(0);
        }
        if (waitpid(copy, &status, 0) != copy || status) return 1;
        allocated(4000);
    }
    if (told(arguments, "killed")) {
        allocated(1000);
        mark("one");
        allocated(2000);
        kill(getpid(), SIGKILL);
    }
}
