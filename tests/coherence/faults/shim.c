/*
 * What stands between the binary and the C library when a test wants a disk to fail: loaded with LD_PRELOAD.
 *
 * SHIM_ROOTS   folders, divided by colons: only what happens to files below them is counted and can fail
 * SHIM_CALLS   which calls count, as a sum of the numbers of `enum call`
 * SHIM_AT      the number of the call that fails, counted over SHIM_CALLS from 1; 0 lets all pass
 * SHIM_HOW     what happens to it: `io` (EIO), `space` (ENOSPC), `short` (half is written, and that is said), `torn` (half
 *              is written, and EIO is said), `dead` (EIO, and for all that come after it), `kill` (the process is gone
 *              before it), `die` (gone after half of it), `stop` (stopped before it; SIGCONT lets it do the call)
 * SHIM_FULL    1: a disk with as many bytes left as the report says; what would take more is refused
 * SHIM_REPORT  a file of 64-bit numbers that is shared with the test and with other processes: see `enum slot`
 *
 * It survives kill -9, because the report is mapped memory, and costs nothing where no root is concerned.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { OPEN = 1, WRITE = 2, SYNC = 4, TRUNCATE = 8, READ = 16, RENAME = 32, UNLINK = 64 };

/* The slots of the report; after them the calls of each kind, in the order of their numbers. */
enum slot { COUNTED, FIRED, ROOM, KINDS, SLOTS = KINDS + 7 };

static struct {
    int ready, full;
    unsigned calls;
    uint64_t at;
    char how[8];
    char roots[4 * PATH_MAX];
    int64_t *report;
} shim;

static int64_t spare[SLOTS];

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static void prepare(void) {
    if (__atomic_load_n(&shim.ready, __ATOMIC_ACQUIRE)) return;
    int saved = errno;
    snprintf(shim.roots, sizeof shim.roots, "%s", setting("SHIM_ROOTS"));
    snprintf(shim.how, sizeof shim.how, "%s", setting("SHIM_HOW"));
    shim.calls = (unsigned)atoi(setting("SHIM_CALLS"));
    shim.at = strtoull(setting("SHIM_AT"), NULL, 10);
    shim.full = atoi(setting("SHIM_FULL"));
    shim.report = spare;
    int (*plain_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int fd = plain_open(setting("SHIM_REPORT"), O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        void *mapped = mmap(NULL, SLOTS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped != MAP_FAILED) shim.report = mapped;
        close(fd);
    }
    errno = saved;
    __atomic_store_n(&shim.ready, 1, __ATOMIC_RELEASE);
}

static int64_t add(int slot, int64_t n) {
    return __atomic_add_fetch(&shim.report[slot], n, __ATOMIC_SEQ_CST);
}

static int below_a_root(const char *path) {
    for (const char *root = shim.roots; *root;) {
        size_t length = strcspn(root, ":");
        if (length && !strncmp(path, root, length) && (path[length] == '/' || !path[length])) return 1;
        root += length + (root[length] == ':');
    }
    return 0;
}

static int path_is_ours(int folder, const char *path) {
    char whole[2 * PATH_MAX], link[64];
    prepare();
    if (path[0] == '/') return below_a_root(path);
    ssize_t length;
    int saved = errno;
    if (folder == AT_FDCWD) {
        length = getcwd(whole, PATH_MAX) ? (ssize_t)strlen(whole) : -1;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        length = readlink(link, whole, PATH_MAX);
    }
    errno = saved;
    if (length < 0) return 0;
    snprintf(whole + length, sizeof whole - (size_t)length, "/%s", path);
    return below_a_root(whole);
}

static int file_is_ours(int fd) {
    char link[64], path[PATH_MAX + 1];
    prepare();
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX);
    errno = saved;
    if (length <= 0) return 0;
    path[length] = 0;
    return below_a_root(path);
}

/* What is to become of this call: nothing (""), or the word of SHIM_HOW. */
static const char *fate(enum call call) {
    add(KINDS + __builtin_ctz(call), 1);
    if (!(shim.calls & call)) return "";
    uint64_t number = (uint64_t)add(COUNTED, 1);
    if (number != shim.at && !(shim.at && number > shim.at && !strcmp(shim.how, "dead"))) return "";
    add(FIRED, 1);
    if (!strcmp(shim.how, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(shim.how, "stop")) return kill(getpid(), SIGSTOP), "";
    return shim.how;
}

/* For calls that do nothing by halves. */
static int fails(enum call call) {
    const char *how = fate(call);
    if (!*how) return 0;
    if (!strcmp(how, "die")) kill(getpid(), SIGKILL);
    errno = !strcmp(how, "space") ? ENOSPC : EIO;
    return 1;
}

/* How many of `count` bytes are written before the end that SHIM_HOW wants; -1 for all of them and no end. */
static ssize_t half(size_t count, const char **how) {
    *how = fate(WRITE);
    if (!**how) return -1;
    if (!strcmp(*how, "short") || !strcmp(*how, "torn") || !strcmp(*how, "die")) return (ssize_t)(count / 2);
    return 0;
}

/* What is answered when `done` bytes were written before the end. */
static ssize_t after_half(const char *how, ssize_t done) {
    if (!strcmp(how, "die")) kill(getpid(), SIGKILL);
    if (!strcmp(how, "short") && done > 0) return done;
    errno = !strcmp(how, "space") || !strcmp(how, "short") ? ENOSPC : EIO;
    return -1;
}

/* How many of `count` bytes at `offset` (-1: at the position) have room, and are taken from it. */
static size_t room_for(int fd, size_t count, off_t offset) {
    struct stat found;
    if (!shim.full || fstat(fd, &found) || !S_ISREG(found.st_mode)) return count;
    if (offset < 0) offset = fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR);
    int64_t more = (int64_t)offset + (int64_t)count - found.st_size;
    if (more <= 0) return count;
    int64_t left = add(ROOM, -more);
    if (left >= 0) return count;
    int64_t back = -left < more ? -left : more;
    add(ROOM, back);
    return count > (size_t)back ? count - (size_t)back : 0;
}

static void gives_back(int64_t bytes) {
    if (shim.full && bytes > 0) add(ROOM, bytes);
}

#define OPEN_BODY(name, folder) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    } \
    NEXT(name); \
    if (path_is_ours(folder, path) && fails(OPEN)) return -1;

int open(const char *path, int flags, ...) { OPEN_BODY(open, AT_FDCWD) return next(path, flags, mode); }
int open64(const char *path, int flags, ...) { OPEN_BODY(open64, AT_FDCWD) return next(path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { OPEN_BODY(openat, at) return next(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { OPEN_BODY(openat64, at) return next(at, path, flags, mode); }

#define WRITE_BODY(offset, all, some) \
    if (!file_is_ours(fd)) return all; \
    const char *how; \
    ssize_t part = half(count, &how); \
    if (part >= 0) return after_half(how, part ? (count = (size_t)part, some) : 0); \
    size_t fits = room_for(fd, count, offset); \
    if (fits == 0 && count > 0) return errno = ENOSPC, -1; \
    count = fits; \
    return some;

ssize_t write(int fd, const void *bytes, size_t count) {
    NEXT(write);
    WRITE_BODY(-1, next(fd, bytes, count), next(fd, bytes, count))
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    NEXT(pwrite);
    WRITE_BODY(offset, next(fd, bytes, count, offset), next(fd, bytes, count, offset))
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    NEXT(pwrite64);
    WRITE_BODY(offset, next(fd, bytes, count, offset), next(fd, bytes, count, offset))
}
/* Half of a vector is its first part. */
ssize_t writev(int fd, const struct iovec *parts, int number) {
    NEXT(writev);
    size_t count = 0;
    for (int n = 0; n < number; n++) count += parts[n].iov_len;
    WRITE_BODY(-1, next(fd, parts, number), next(fd, parts, count && number > 1 ? 1 : number))
}

#define SYNC_BODY(name) \
    NEXT(name); \
    if (file_is_ours(fd) && fails(SYNC)) return -1; \
    return next(fd);

int fsync(int fd) { SYNC_BODY(fsync) }
int fdatasync(int fd) { SYNC_BODY(fdatasync) }

#define TRUNCATE_BODY(name) \
    NEXT(name); \
    if (!file_is_ours(fd)) return next(fd, length); \
    if (fails(TRUNCATE)) return -1; \
    struct stat before; \
    int known = !fstat(fd, &before), done = next(fd, length); \
    if (known && !done) gives_back((int64_t)before.st_size - (int64_t)length); \
    return done;

int ftruncate(int fd, off_t length) { TRUNCATE_BODY(ftruncate) }
int ftruncate64(int fd, off64_t length) { TRUNCATE_BODY(ftruncate64) }

ssize_t read(int fd, void *bytes, size_t count) {
    NEXT(read);
    return file_is_ours(fd) && fails(READ) ? -1 : next(fd, bytes, count);
}
ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
    NEXT(pread);
    return file_is_ours(fd) && fails(READ) ? -1 : next(fd, bytes, count, offset);
}
ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
    NEXT(pread64);
    return file_is_ours(fd) && fails(READ) ? -1 : next(fd, bytes, count, offset);
}

int rename(const char *from, const char *to) {
    NEXT(rename);
    return path_is_ours(AT_FDCWD, from) && fails(RENAME) ? -1 : next(from, to);
}

int unlink(const char *path) {
    NEXT(unlink);
    if (!path_is_ours(AT_FDCWD, path)) return next(path);
    if (fails(UNLINK)) return -1;
    struct stat before;
    int known = !lstat(path, &before) && S_ISREG(before.st_mode) && before.st_nlink == 1, done = next(path);
    if (known && !done) gives_back(before.st_size);
    return done;
}
