// A copy of a process that initialised the driver calls it: by itself, cudart or cuBLAS.
#include <sys/wait.h>
#include "card.h"

int cudaMalloc(Address *address, size_t bytes);
int cudaLaunchKernelExC(const void *config, const void *host, void **arguments);
int cublasCreate_v2(Handle *handle);

int main(int count, char **arguments) {
    (void)count;
    int status;
    open_card();
    allocated(512);
    pid_t copy = fork();
    if (copy) return waitpid(copy, &status, 0) != copy || status;
    Address address;
    Handle handle;
    if (told(arguments, "driver")) {
        answers(NOT_INITIALIZED, cuMemAllocAsync(&address, 512, 0));
        answers(NOT_INITIALIZED, cuInit(0));
    }
    if (told(arguments, "cudart")) answers(NOT_INITIALIZED, cudaMalloc(&address, 512));
    if (told(arguments, "launch")) answers(NOT_INITIALIZED, cudaLaunchKernelExC(NULL, NULL, NULL));
    // CUBLAS_STATUS_NOT_INITIALIZED.
    if (told(arguments, "cublas")) answers(1, cublasCreate_v2(&handle));
    // With "nothing" it is a copy that does not care for CUDA.
}
