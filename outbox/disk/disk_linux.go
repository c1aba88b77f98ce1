package disk

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The warnings.
const (
	network = "outbox is on a network file system, or one in user space; SQLite needs shared memory and locks that work, " +
		"which such a file system may not provide; put the outbox on a local disk"
	volatile = "outbox is on a file system that ends with the container or the machine (overlay or tmpfs), and leads in it are lost then; " +
		"mount a volume at Caddy's data directory, or name a file on one"
)

// kinds maps the magic numbers of file systems to warnings.
var kinds = map[int64]string{
	unix.NFS_SUPER_MAGIC:       network,
	unix.SMB_SUPER_MAGIC:       network,
	unix.SMB2_SUPER_MAGIC:      network,
	unix.CIFS_SUPER_MAGIC:      network,
	unix.V9FS_MAGIC:            network,
	unix.CEPH_SUPER_MAGIC:      network,
	unix.AFS_SUPER_MAGIC:       network,
	unix.CODA_SUPER_MAGIC:      network,
	unix.OCFS2_SUPER_MAGIC:     network,
	unix.FUSE_SUPER_MAGIC:      network,
	unix.OVERLAYFS_SUPER_MAGIC: volatile,
	unix.TMPFS_MAGIC:           volatile,
	unix.RAMFS_MAGIC:           volatile,
}

// Warning returns what is wrong with keeping an outbox in the folder, or an empty string. The folder
// need not exist yet.
func Warning(dir string) string {
	var info unix.Statfs_t
	err := unix.Statfs(dir, &info)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &info)
	}
	if err != nil {
		return "" // opening the outbox reports it
	}
	return kinds[int64(info.Type)&0xffffffff] //nolint:unconvert // its type depends on the architecture
}
