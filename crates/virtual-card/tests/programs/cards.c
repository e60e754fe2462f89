// Looks at every card of the machine, by the driver, by cudart and by NVML, and uses two of them.
#include "card.h"

int cuDeviceGetCount(int *count);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetUuid_v2(unsigned char *uuid, int device);
int cuDeviceGetPCIBusId(char *text, int room, int device);
int cuDeviceGetByPCIBusId(int *device, const char *text);
int cuCtxGetDevice(int *device);
int cudaGetDeviceCount(int *count);
int cudaGetDevice(int *device);
int cudaSetDevice(int device);
int cudaDeviceGetAttribute(int *value, int attribute, int device);
int cudaDeviceGetPCIBusId(char *text, int room, int device);
int cudaDeviceGetByPCIBusId(int *device, const char *text);
int nvmlInit_v2(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle *card);
int nvmlDeviceGetHandleByUUID(const char *uuid, Handle *card);
int nvmlDeviceGetHandleByPciBusId_v2(const char *text, Handle *card);
int nvmlDeviceGetUUID(Handle card, char *text, unsigned room);
int nvmlDeviceGetIndex(Handle card, unsigned *index);

// As `nvmlPciInfo_t` and `nvmlMemory_t`.
struct Pci {
    char short_id[16];
    unsigned domain, bus, device, chip, board;
    char id[32];
};
struct Memory {
    unsigned long long total, free, used;
};
int nvmlDeviceGetPciInfo_v3(Handle card, struct Pci *pci);
int nvmlDeviceGetMemoryInfo(Handle card, struct Memory *memory);

enum { CARDS = 4, FIRST = 1, SECOND = 3, BUS = 33, INVALID_DEVICE = 101, NO_SUCH_CARD = 2, NOT_THERE = 6 };

static void expect(int is_so, const char *what) {
    if (is_so) return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}
#define expect(what) expect(what, #what)

static size_t used(unsigned index) {
    Handle card;
    struct Memory memory;
    must(nvmlDeviceGetHandleByIndex_v2(index, &card));
    must(nvmlDeviceGetMemoryInfo(card, &memory));
    return memory.used;
}

// By the driver, which knows them by ordinals, UUIDs and places on the bus.
static void by_driver(void) {
    int count, device, value;
    char text[32], texts[CARDS][32];
    unsigned char uuids[CARDS][16];
    must(cuDeviceGetCount(&count));
    expect(count == CARDS);
    for (int i = 0; i < CARDS; i++) {
        must(cuDeviceGet(&device, i));
        must(cuDeviceGetUuid_v2(uuids[i], device));
        must(cuDeviceGetPCIBusId(texts[i], sizeof texts[i], device));
        must(cuDeviceGetByPCIBusId(&value, texts[i]));
        expect(value == i);
        must(cuDeviceGetAttribute(&value, BUS, device));
        must(cuDeviceGetAttribute(&device, 50, device));
        snprintf(text, sizeof text, "%04X:%02X:00.0", device, value);
        expect(!strcmp(text, texts[i]));
        for (int j = 0; j < i; j++) expect(memcmp(uuids[i], uuids[j], 16) && strcmp(texts[i], texts[j]));
    }
    answers(INVALID_DEVICE, cuDeviceGet(&device, CARDS));
    answers(INVALID_DEVICE, cuDeviceGetByPCIBusId(&device, "0000:77:00.0"));
    answers(INVALID_VALUE, cuDeviceGetByPCIBusId(&device, NULL));
}

// cudart opens none of them to answer.
static void by_cudart(void) {
    int count, device, value;
    char text[32];
    must(cudaGetDeviceCount(&count));
    must(cudaGetDevice(&device));
    expect(count == CARDS && device == 0);
    must(cudaDeviceGetAttribute(&value, 75, FIRST));
    must(cudaDeviceGetPCIBusId(text, sizeof text, SECOND));
    must(cudaDeviceGetByPCIBusId(&device, text));
    expect(device == SECOND && value == 9);
}

static void by_nvml(void) {
    unsigned count, index;
    Handle card, same;
    char uuid[96];
    struct Pci pci;
    must(nvmlInit_v2());
    must(nvmlDeviceGetCount_v2(&count));
    expect(count == CARDS);
    for (unsigned i = 0; i < count; i++) {
        must(nvmlDeviceGetHandleByIndex_v2(i, &card));
        must(nvmlDeviceGetUUID(card, uuid, sizeof uuid));
        must(nvmlDeviceGetHandleByUUID(uuid, &same));
        expect(same == card);
        must(nvmlDeviceGetPciInfo_v3(card, &pci));
        must(nvmlDeviceGetHandleByPciBusId_v2(pci.id, &same));
        expect(same == card);
        must(nvmlDeviceGetHandleByPciBusId_v2(pci.short_id, &same));
        must(nvmlDeviceGetIndex(same, &index));
        expect(index == i && pci.bus == i + 1);
        expect(used(i) == 0);
    }
    answers(NO_SUCH_CARD, nvmlDeviceGetHandleByIndex_v2(CARDS, &card));
    answers(NOT_THERE, nvmlDeviceGetHandleByPciBusId_v2("0", &card));
}

int main(void) {
    int device;
    size_t free, total;
    Handle contexts[2];
    Address first, second;
    must(cuInit(0));
    by_driver();
    by_cudart();
    by_nvml();

    must(cudaSetDevice(FIRST));
    must(cuCtxGetDevice(&device));
    expect(device == FIRST);
    must(cuDevicePrimaryCtxRetain(&contexts[0], FIRST));
    must(cuDevicePrimaryCtxRetain(&contexts[1], SECOND));
    expect(contexts[0] != contexts[1]);
    first = allocated(5000);
    must(cuCtxSetCurrent(contexts[1]));
    must(cuMemAlloc_v2(&second, 64 << 20));
    must(cuMemGetInfo_v2(&free, &total));
    expect(total - free == used(SECOND));
    expect(used(FIRST) && used(FIRST) < used(SECOND));
    expect(!used(0) && !used(2));
    mark("both");
    must(cuMemFree_v2(second));
    must(cuMemFreeAsync(first, 0));
}
