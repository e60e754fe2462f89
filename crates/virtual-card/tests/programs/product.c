// Multiplies by cuBLAS, with whose versioned functions it is linked.
#include "card.h"

int cublasCreate_v2(Handle *handle);
int cublasSgemm_v2(Handle handle, int a, int b, int m, int n, int k, const float *alpha, Address left, int left_stride,
                   Address right, int right_stride, const float *beta, Address result, int stride);

int main(void) {
    open_card();
    Handle handle;
    float one = 1;
    Address matrix = allocated(4 * 4 * 4);
    must(cublasCreate_v2(&handle));
    must(cublasSgemm_v2(handle, 0, 0, 4, 4, 4, &one, matrix, 4, matrix, 4, &one, matrix, 4));
    must(cuMemFreeAsync(matrix, 0));
}
