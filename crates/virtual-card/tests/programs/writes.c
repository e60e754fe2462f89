// Reads what it wrote itself, before the peak and perhaps after a kernel that gets the address or does not.
#include "card.h"

// The kernel's body is never looked at; that its argument is an address is.
static const char TEXT[] =
    ".version 8.0\n.target sm_90\n.address_size 64\n"
    ".visible .entry touch(\n\t.param .u32 touch_param_0,\n\t.param .u64 touch_param_1\n)\n{\n\tret;\n}\n";

static void launch(Address address) {
    Handle module, function;
    unsigned number = 1;
    void *arguments[] = {&number, &address};
    must(cuModuleLoadData(&module, TEXT));
    answers(NOT_FOUND, cuModuleGetFunction(&function, module, "not there"));
    must(cuModuleGetFunction(&function, module, "touch"));
    must(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, 0, arguments, NULL));
}

int main(int count, char **arguments) {
    (void)count;
    open_card();
    char written[100], read[100];
    for (int i = 0; i < 100; i++) written[i] = i * 7;
    Address kept = allocated(100), other = allocated(100);
    if (told(arguments, "launched on mapped")) {
        struct Properties properties = {.kind = 1, .location = 1};
        Handle memory;
        must(cuMemCreate(&memory, 2 << 20, &properties, 0));
        must(cuMemAddressReserve(&kept, 2 << 20, 0, 0, 0));
        must(cuMemMap(kept, 2 << 20, 0, memory, 0));
    }
    must(cuMemcpyHtoD_v2(kept, written, 100));
    if (told(arguments, "set")) {
        must(cuMemsetD8_v2(kept, 5, 100));
        must(cuMemsetD32_v2(kept + 4, 0x01020304, 2));
        memset(written, 5, 100);
        memcpy(written + 4, (unsigned[]){0x01020304, 0x01020304}, 8);
    }
    if (told(arguments, "copied")) {
        must(cuMemcpyDtoD_v2(other, kept, 100));
        kept = other;
    }
    if (told(arguments, "launched beside")) launch(other);
    int by_table = told(arguments, "launched by a table");
    int touched = told(arguments, "launched on") || told(arguments, "launched on mapped");
    if (touched) launch(kept + 8);
    if (by_table) {
        must(cuMemcpyHtoD_v2(other, &kept, sizeof kept));
        launch(other);
        touched = 1;
    }
    must(cuMemcpyDtoH_v2(read, kept, 100));
    if (!touched && memcmp(read, written, 100)) return 1;
    allocated(1 << 20);
}
