// Gradients of a linear layer's weight and bias, on tensor cores or of few outputs: with matmul.cu the
// twin of weight_gradients.rs.
//
//   dW[o,i] += sum_r dy[r,o] x[r,i]       db[o] += sum_r dy[r,o]
//
// Both operands are fp32 in memory and hold values of half precision, which the TF32 of the tensor
// cores has room for: nothing of an operand is lost, and sums are fp32. The result is small and the
// rows are many, so that the rows of one tile of dW are spread over the blocks of a cluster, which add
// up what each of them has in the order of their ranks: the same in every run, in no other memory.
#include "cluster.cuh"

struct WeightGradientsArguments {
    const float *dy, *x;  // [N,O], rows `stride` apart; [N,I]
    float *weight, *bias; // [O,I], [O]
    int rows, stride, outputs, inputs;
};
ASSERT_SIZE(WeightGradientsArguments, 48);
ASSERT_OFFSET(WeightGradientsArguments, dy, 0);
ASSERT_OFFSET(WeightGradientsArguments, x, 8);
ASSERT_OFFSET(WeightGradientsArguments, weight, 16);
ASSERT_OFFSET(WeightGradientsArguments, bias, 24);
ASSERT_OFFSET(WeightGradientsArguments, rows, 32);
ASSERT_OFFSET(WeightGradientsArguments, stride, 36);
ASSERT_OFFSET(WeightGradientsArguments, outputs, 40);
ASSERT_OFFSET(WeightGradientsArguments, inputs, 44);

namespace weight_gradients {
// The numbers that weight_gradients.rs launches with.
constexpr int TILE = 64, CLUSTER = 8, THREADS = 256;
// Rows of a stage, and stages: one is multiplied while the others are on their way.
constexpr int DEPTH = 16, STAGES = 4;
// Warps that share a tile, and parts of a stage's rows: one for each such group of warps.
constexpr int GROUPS = 2, GROUP_DEPTH = DEPTH / GROUPS;
// Rows lie eight banks apart, so that the four rows of eight values that a warp reads do not meet.
constexpr int PITCH = TILE + 8;
// Threads that share a column's sum.
constexpr int SHARES = THREADS / TILE;

struct Stage {
    float dy[DEPTH][PITCH], x[DEPTH][PITCH];
};
union Tiles {
    Stage stages[STAGES];
    float sums[GROUPS][TILE][PITCH]; // once all rows are multiplied
};
static_assert(sizeof(Tiles) == sizeof(Stage[STAGES]), "sums fit where the stages were");

#if __CUDA_ARCH__ >= 800
// Copies `bytes` of `SIZE` bytes to shared memory in the background, zeros in place of the rest.
template <int SIZE> __device__ inline void copy(float *to, const float *from, int bytes) {
    const unsigned at = (unsigned)__cvta_generic_to_shared(to);
    const size_t source = __cvta_generic_to_global(from);
    if (SIZE == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(source),
                     "r"(bytes)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(source),
                     "r"(bytes)
                     : "memory");
}
__device__ inline void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until no more than so many of this thread's groups of copies are on their way.
template <int PENDING> __device__ inline void wait_groups() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// A row-major matrix.
struct Matrix {
    const float *values;
    int rows, columns, stride;
    bool aligned; // every row begins at a multiple of 16 bytes

    __device__ Matrix(const float *values, int rows, int columns, int stride)
        : values(values), rows(rows), columns(columns), stride(stride),
          aligned((size_t)values % 16 == 0 && stride % 4 == 0) {}

    // Copies DEPTH rows of TILE columns in the background, zeros beyond the matrix.
    __device__ void load(float (*to)[PITCH], int row, int column) const {
        if (aligned) {
            load<4>(to, row, column);
        } else {
            load<1>(to, row, column);
        }
    }

    // The same, `WIDTH` values at once; neighbouring threads take neighbouring addresses.
    template <int WIDTH> __device__ void load(float (*to)[PITCH], int row, int column) const {
        constexpr int PER_ROW = TILE / WIDTH;
#pragma unroll
        for (int i = 0; i < DEPTH * PER_ROW / THREADS; i++) {
            const int at = threadIdx.x + i * THREADS, k = at / PER_ROW, c = at % PER_ROW * WIDTH;
            const int there = row + k < rows ? min(max(columns - column - c, 0), WIDTH) : 0;
            const size_t from = (size_t)(row + k) * stride + column + c;
            copy<WIDTH * 4>(&to[k][c], there > 0 ? values + from : values, there * 4);
        }
    }
};

__device__ inline void multiply(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

// A warp's share of a tile: 32 x 32 results, as 2 x 4 products of 16 x 8.
struct Share {
    static constexpr int SIZE = 32, HIGH = 2, WIDE = 4;
    int group, o, i;    // the rows that it multiplies, its first result in the tile
    int major, minor;   // a lane's place in the operands: one of eight, one of four
    float sum[HIGH][WIDE][4] = {};

    __device__ Share() {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        group = warp / 4;
        o = warp / 2 % 2 * SIZE;
        i = warp % 2 * SIZE;
        major = lane / 4;
        minor = lane % 4;
    }

    __device__ void add(const Stage &stage) {
        const int k = group * GROUP_DEPTH + minor;
        float a[HIGH][4], b[WIDE][2];
#pragma unroll
        for (int h = 0; h < HIGH; h++) {
            const int at = o + h * 16 + major;
            a[h][0] = stage.dy[k][at];
            a[h][1] = stage.dy[k][at + 8];
            a[h][2] = stage.dy[k + 4][at];
            a[h][3] = stage.dy[k + 4][at + 8];
        }
#pragma unroll
        for (int w = 0; w < WIDE; w++) {
            const int at = i + w * 8 + major;
            b[w][0] = stage.x[k][at];
            b[w][1] = stage.x[k + 4][at];
        }
#pragma unroll
        for (int h = 0; h < HIGH; h++) {
#pragma unroll
            for (int w = 0; w < WIDE; w++) multiply(sum[h][w], a[h], b[w]);
        }
    }

    __device__ void store(float (&sums)[GROUPS][TILE][PITCH]) const {
#pragma unroll
        for (int h = 0; h < HIGH; h++) {
#pragma unroll
            for (int w = 0; w < WIDE; w++) {
                const int row = o + h * 16 + major, column = i + w * 8 + minor * 2;
                sums[group][row][column] = sum[h][w][0];
                sums[group][row][column + 1] = sum[h][w][1];
                sums[group][row + 8][column] = sum[h][w][2];
                sums[group][row + 8][column + 1] = sum[h][w][3];
            }
        }
    }
};
static_assert(GROUP_DEPTH == 8, "a warp takes eight rows of a stage, as one product does");
static_assert(THREADS / 32 == GROUPS * (TILE / Share::SIZE) * (TILE / Share::SIZE), "warps");

// Until all threads of the cluster are here; what they wrote to shared memory is seen by all.
template <int BLOCKS> __device__ inline void meet() {
#if __CUDA_ARCH__ >= 900
    if (BLOCKS > 1) {
        cluster::sync();
        return;
    }
#endif
    __syncthreads();
}

// What lies at the same place in the shared memory of the cluster's block `rank`.
template <int BLOCKS> __device__ inline float of_block(const float *at, int rank) {
#if __CUDA_ARCH__ >= 900
    if (BLOCKS > 1) {
        const unsigned there = cluster::address_in(cluster::address(at), rank);
        float found;
        asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(found) : "r"(there) : "memory");
        return found;
    }
#endif
    return *at;
}

// grid (BLOCKS * ceil(O/TILE), ceil(I/TILE)), block THREADS.
template <int BLOCKS> __device__ void run(const WeightGradientsArguments &p) {
    __shared__ __align__(16) Tiles tiles;
    __shared__ float shares[SHARES][TILE];
    const int tid = threadIdx.x, rank = blockIdx.x % BLOCKS;
    const int o0 = blockIdx.x / BLOCKS * TILE, i0 = blockIdx.y * TILE;
    const Matrix dy(global(p.dy), p.rows, p.outputs, p.stride);
    const Matrix x(global(p.x), p.rows, p.inputs, p.inputs);
    // Stages of all blocks, and those of this one: the last blocks may have none.
    const int all = (p.rows + DEPTH - 1) / DEPTH, each = (all + BLOCKS - 1) / BLOCKS;
    const int first = rank * each, count = max(min(each, all - first), 0);
    const auto load = [&](int stage) {
        if (stage < count) {
            Stage &to = tiles.stages[stage % STAGES];
            dy.load(to.dy, (first + stage) * DEPTH, o0);
            x.load(to.x, (first + stage) * DEPTH, i0);
        }
        end_group(); // also where it is empty: stages are waited for by their number
    };
    const bool sums_dy = blockIdx.y == 0;
    float sum_dy = 0.0f;
    Share share;
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; stage++) load(stage);
    for (int stage = 0; stage < count; stage++) {
        wait_groups<STAGES - 2>();
        __syncthreads(); // everyone's copies are there, and the stage before has been multiplied
        load(stage + STAGES - 1);
        const Stage &here = tiles.stages[stage % STAGES];
        share.add(here);
        if (sums_dy) {
#pragma unroll
            for (int k = 0; k < DEPTH / SHARES; k++)
                sum_dy += here.dy[tid / TILE * (DEPTH / SHARES) + k][tid % TILE];
        }
    }
    wait_groups<0>();
    __syncthreads(); // the stages have been multiplied: the sums take their place
    share.store(tiles.sums);
    shares[tid / TILE][tid % TILE] = sum_dy;
    meet<BLOCKS>();
    // Each block adds up as many rows of the tile as the others.
    constexpr int ROWS = TILE / BLOCKS;
    for (int at = tid; at < ROWS * TILE; at += THREADS) {
        const int o = rank * ROWS + at / TILE, i = at % TILE;
        float total = 0.0f;
#pragma unroll
        for (int block = 0; block < BLOCKS; block++) {
#pragma unroll
            for (int group = 0; group < GROUPS; group++)
                total += of_block<BLOCKS>(&tiles.sums[group][o][i], block);
        }
        if (o0 + o < p.outputs && i0 + i < p.inputs)
            global(p.weight)[(size_t)(o0 + o) * p.inputs + i0 + i] += total;
    }
    if (sums_dy && tid < ROWS) {
        const int o = rank * ROWS + tid;
        float total = 0.0f;
#pragma unroll
        for (int block = 0; block < BLOCKS; block++) {
#pragma unroll
            for (int share = 0; share < SHARES; share++)
                total += of_block<BLOCKS>(&shares[share][o], block);
        }
        if (o0 + o < p.outputs) global(p.bias)[o0 + o] += total;
    }
    if (BLOCKS > 1) meet<BLOCKS>(); // others may still read what this block has
}
#endif
} // namespace weight_gradients

// Tiles enough for the card: a block takes all rows of one.
extern "C" __global__ void __launch_bounds__(weight_gradients::THREADS, 3)
    weight_gradients_whole(const __grid_constant__ WeightGradientsArguments p) {
#if __CUDA_ARCH__ >= 800
    weight_gradients::run<1>(p);
#endif
}

// Too few of them: a cluster takes one. Cards before 9.0 have no clusters and do not launch it.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define IN_CLUSTERS __cluster_dims__(weight_gradients::CLUSTER, 1, 1)
#else
#define IN_CLUSTERS
#endif
extern "C" __global__ void IN_CLUSTERS __launch_bounds__(weight_gradients::THREADS, 3)
    weight_gradients_split(const __grid_constant__ WeightGradientsArguments p) {
#if __CUDA_ARCH__ >= 900
    weight_gradients::run<weight_gradients::CLUSTER>(p);
#endif
}

// Few outputs, in fp32: a lane has a column of x, a warp every so many rows; the warps' sums are added
// in their order.
namespace weight_gradients {
constexpr int FEW = 4, FEW_WARPS = 32;
}
extern "C" __global__ void __launch_bounds__(weight_gradients::FEW_WARPS * 32)
    weight_gradients_few(const __grid_constant__ WeightGradientsArguments p) {
    using namespace weight_gradients;
    __shared__ float of_weight[FEW_WARPS][FEW][32], of_bias[FEW_WARPS][FEW];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, i = blockIdx.x * 32 + lane;
    const float *const dy = global(p.dy), *const x = global(p.x);
    float sum[FEW] = {}, bias[FEW] = {};
#pragma unroll 8
    for (int r = warp; r < p.rows; r += FEW_WARPS) {
        const float value = i < p.inputs ? x[(size_t)r * p.inputs + i] : 0.0f;
#pragma unroll
        for (int o = 0; o < FEW; o++) {
            const float g = o < p.outputs ? dy[(size_t)r * p.stride + o] : 0.0f;
            sum[o] += g * value;
            bias[o] += g;
        }
    }
#pragma unroll
    for (int o = 0; o < FEW; o++) {
        of_weight[warp][o][lane] = sum[o];
        if (lane == 0) of_bias[warp][o] = bias[o];
    }
    __syncthreads();
    if (warp >= p.outputs) return;
    float total = 0.0f, total_bias = 0.0f;
#pragma unroll
    for (int w = 0; w < FEW_WARPS; w++) {
        total += of_weight[w][warp][lane];
        total_bias += of_bias[w][warp];
    }
    if (i < p.inputs) global(p.weight)[(size_t)warp * p.inputs + i] += total;
    if (blockIdx.x == 0 && lane == 0) global(p.bias)[warp] += total_bias;
}
