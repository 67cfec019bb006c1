// Compiles HLSL files with Microsoft's FXC and prints the result of each. It calls D3DCompile as wgpu-hal
// does in src/dx12/shader_compilation.rs. scripts/check-fxc builds it and runs it under wine.
//
//   fxc.exe FILE…    prints `FILE HRESULT MILLISECONDS`, and the compiler's messages after a refusal
//
// The milliseconds are processor time, so they do not depend on other programs.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define ENABLE_STRICTNESS 0x800u

// The methods of ID3DBlob, in the order of its vtable.
typedef struct Blob Blob;
typedef struct {
    void *query_interface, *add_ref;
    ULONG(STDMETHODCALLTYPE *release)(Blob *);
    const char *(STDMETHODCALLTYPE *data)(Blob *);
    SIZE_T(STDMETHODCALLTYPE *size)(Blob *);
} BlobMethods;
struct Blob {
    const BlobMethods *methods;
};

typedef HRESULT(WINAPI *Compile)(
    const void *source, SIZE_T bytes, const char *name, const void *macros, void *include,
    const char *entry, const char *target, UINT flags, UINT effect_flags, Blob **code, Blob **messages);

static char *read_all(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*bytes + 1);
    if (text && fread(text, 1, *bytes, file) != *bytes) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

// The first line of a file reads `// ENTRY`.
static int entry_of(const char *text, size_t bytes, char *entry, size_t room) {
    const char *end = memchr(text, '\n', bytes);
    if (!end || bytes < 4 || memcmp(text, "// ", 3) || (size_t)(end - text) - 3 >= room) return 0;
    memcpy(entry, text + 3, (size_t)(end - text) - 3);
    entry[end - text - 3] = 0;
    return 1;
}

static ULONGLONG milliseconds(void) {
    FILETIME created, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user);
    ULONGLONG low = (ULONGLONG)kernel.dwLowDateTime + user.dwLowDateTime;
    return (low + (((ULONGLONG)kernel.dwHighDateTime + user.dwHighDateTime) << 32)) / 10000;
}

int main(int count, char **paths) {
    HMODULE library = LoadLibraryA("d3dcompiler_47.dll");
    Compile compile = library ? (Compile)(void *)GetProcAddress(library, "D3DCompile") : NULL;
    if (!compile) {
        fprintf(stderr, "fxc: cannot load d3dcompiler_47.dll; put it beside this program\n");
        return 2;
    }
    for (int i = 1; i < count; i++) {
        size_t bytes;
        char entry[256];
        char *text = read_all(paths[i], &bytes);
        if (!text || !entry_of(text, bytes, entry, sizeof entry)) {
            fprintf(stderr, "fxc: cannot read %s, or its first line names no entry point\n", paths[i]);
            return 2;
        }
        Blob *code = NULL, *messages = NULL;
        ULONGLONG before = milliseconds();
        HRESULT result = compile(text, bytes, NULL, NULL, NULL, entry, "cs_5_1", ENABLE_STRICTNESS, 0, &code, &messages);
        printf("%s %08lx %llu\n", paths[i], (unsigned long)result, milliseconds() - before);
        if (messages) {
            if (result) printf("%.*s\n", (int)messages->methods->size(messages), messages->methods->data(messages));
            messages->methods->release(messages);
        }
        if (code) code->methods->release(code);
        fflush(stdout);
        free(text);
    }
    return 0;
}
