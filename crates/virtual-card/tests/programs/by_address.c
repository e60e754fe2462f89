// Finds the driver's functions by cuGetProcAddress before it is initialised, as of several versions of CUDA.
#include "card.h"

int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags, int *status);

static void *found(const char *name, int version) {
    void *function = NULL;
    int status = 7;
    must(cuGetProcAddress_v2(name, &function, version, 0, &status));
    if (status || !function) exit(1);
    return function;
}

int main(void) {
    void *function = main;
    Handle context;
    Address address;
    int status = 7, device = 7;
    must(((int (*)(unsigned))found("cuInit", 12000))(0));
    // Its arguments are others in each of these.
    must(((int (*)(Handle *, unsigned, int))found("cuCtxCreate", 11000))(&context, 0, 0));
    must(((int (*)(Handle *, void *, int, unsigned, int))found("cuCtxCreate", 12000))(&context, NULL, 0, 0, 0));
    must(((int (*)(Handle *, void *, unsigned, int))found("cuCtxCreate", 13000))(&context, NULL, 0, 0));
    must(((int (*)(int *))found("cuCtxGetDevice", 12000))(&device));
    must(((int (*)(int *, Handle))found("cuCtxGetDevice", 13000))(&device, context));
    must(((int (*)(void))found("cuCtxSynchronize", 12000))());
    must(((int (*)(Handle))found("cuCtxSynchronize", 13000))(context));
    // A name has one function here: that of 64-bit addresses.
    must(((int (*)(Address *, size_t))found("cuMemAlloc", 12000))(&address, 1 << 20));
    must(((int (*)(Address, size_t, int, int))found("cuMemAdvise", 12000))(address, 1 << 20, 1, 0));
    must(((int (*)(Address, size_t, int, Handle))found("cuMemPrefetchAsync", 12000))(address, 1, 0, 0));
    struct Location {
        int kind, number;
    } card = {1, 0};
    must(((int (*)(Address, size_t, int, struct Location))found("cuMemAdvise", 13000))(address, 1 << 20, 1, card));
    must(((int (*)(Address, size_t, struct Location, unsigned, Handle))found("cuMemPrefetchAsync", 13000))(address, 1, card, 0, 0));
    must(((int (*)(Address))found("cuMemFree", 12000))(address));
    // What the driver does not have.
    must(cuGetProcAddress_v2("cuNoSuchFunction", &function, 13000, 0, &status));
    if (function || status != 1) return 1;
    answers(NOT_FOUND, cuGetProcAddress_v2("printf", &function, 13000, 0, NULL));
}
