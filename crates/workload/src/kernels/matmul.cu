// Matrix products over all tokens at once: the twin of gemm.rs and linear.rs.
//
//   C[m,n] = sum_k A[m,k] B[k,n]       any strides, fp32 sums
//
// and what a linear layer does with it: tanh(C + bias) on the way forward; C added to a gradient,
// and the sums of A's rows to the bias's, on the way back.
#include "numeric.cuh"

namespace {
constexpr int TILE = 64, DEPTH = 16, EACH = 4; // 256 threads, 4 x 4 results each
}

enum Epilogue : int { WRITE = 0, ADD = 1, TANH = 2 };

// grid (ceil(m/64), ceil(n/64)), block 256.
template <class W>
__device__ void matmul(const float *a, long long a_row, long long a_col, const W *b,
                       long long b_row, long long b_col, float *c, const W *bias, float *row_sums,
                       int m, int n, int k, int epilogue, int mode) {
    __shared__ float as[DEPTH][TILE + 4], bs[DEPTH][TILE + 4];
    const int m0 = blockIdx.x * TILE, n0 = blockIdx.y * TILE, tid = threadIdx.x;
    const int tm = tid / 16 * EACH, tn = tid % 16 * EACH;
    const bool sums_rows = row_sums != nullptr && blockIdx.y == 0 && tid < TILE;
    float sum[EACH][EACH] = {}, row_sum = 0.0f;
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
#pragma unroll
        for (int i = 0; i < TILE * DEPTH / 256; i++) {
            const int at = tid + i * 256;
            // Neighbouring threads take neighbouring addresses, whichever way the matrix lies.
            const int ak = a_col == 1 ? at % DEPTH : at / TILE;
            const int am = a_col == 1 ? at / DEPTH : at % TILE;
            as[ak][am] = m0 + am < m && k0 + ak < k ? a[(m0 + am) * a_row + (k0 + ak) * a_col] : 0;
            const int bk = b_row == 1 ? at % DEPTH : at / TILE;
            const int bn = b_row == 1 ? at / DEPTH : at % TILE;
            bs[bk][bn] =
                n0 + bn < n && k0 + bk < k ? value(b[(k0 + bk) * b_row + (n0 + bn) * b_col]) : 0;
        }
        __syncthreads();
#pragma unroll
        for (int kk = 0; kk < DEPTH; kk++) {
            float av[EACH], bv[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                av[i] = as[kk][tm + i];
                bv[i] = bs[kk][tn + i];
            }
#pragma unroll
            for (int i = 0; i < EACH; i++) {
#pragma unroll
                for (int j = 0; j < EACH; j++) sum[i][j] += av[i] * bv[j];
            }
            if (sums_rows) row_sum += as[kk][tid];
        }
        __syncthreads();
    }
    if (sums_rows && m0 + tid < m) row_sums[m0 + tid] += row_sum;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            const int mi = m0 + tm + i, nj = n0 + tn + j;
            if (mi >= m || nj >= n) continue;
            float *to = c + (size_t)mi * n + nj;
            if (epilogue == TANH)
                *to = round_to(mode, tanhf(sum[i][j] + value(bias[nj])));
            else
                *to = epilogue == ADD ? *to + sum[i][j] : sum[i][j];
        }
    }
}

#define MATMUL_PARAMS(W)                                                                          \
    (const float *a, long long a_row, long long a_col, const W *b, long long b_row,              \
     long long b_col, float *c, const W *bias, float *row_sums, int m, int n, int k,              \
     int epilogue, int mode)
FOR_WEIGHTS(matmul, __launch_bounds__(256), MATMUL_PARAMS,
            (a, a_row, a_col, b, b_row, b_col, c, bias, row_sums, m, n, k, epilogue, mode))
