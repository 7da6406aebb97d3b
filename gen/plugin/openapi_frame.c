#include "gen/plugin/openapi_frame.h"

/* The assembler takes the file as it is, and a NUL. OPENAPI_FRAME_FILE comes from CMakeLists.txt. */
__asm__(".section .rodata\n"
        ".globl openapi_frame\n"
        "openapi_frame:\n"
        ".incbin \"" OPENAPI_FRAME_FILE "\"\n"
        ".byte 0\n"
        ".previous\n");
