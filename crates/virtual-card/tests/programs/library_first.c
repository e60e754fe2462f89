// Asks a library for a handle before anything of CUDA was called, and then cudart for memory.
#include "card.h"

int cudaMalloc(Address *address, size_t bytes);
int cudaFree(Address address);
int cublasCreate_v2(Handle *handle);

int main(void) {
    Handle handle;
    Address address;
    must(cublasCreate_v2(&handle));
    must(cudaMalloc(&address, 1 << 20));
    must(cudaFree(address));
    // cudart makes an allocation of no bytes where the driver refuses one.
    must(cudaMalloc(&address, 0));
    if (address) return 1;
    must(cudaFree(address));
}
