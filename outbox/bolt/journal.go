package bolt

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxJournal is how long the journal may become.
	maxJournal = 16 << 20
	// journalStep is by how much it grows. What it has grown by is zeros that
	// were written, so that a frame in their place changes nothing of the
	// file but its bytes.
	journalStep = 1 << 20
)

// journal is the file of the batches that the outbox's file does not contain
// yet. It is made with the first of them.
type journal struct {
	path string
	// of is the lineage of the frames that count.
	of   lineage
	file *os.File // nil: there is none yet, or it has not been looked for
	info os.FileInfo
	size int64 // how far it has grown
	// end is where the next frame goes, and sequence its number.
	end      int64
	sequence uint64
}

// errNoRoom: the journal cannot take a frame of that size.
var errNoRoom = errors.New("the journal is full")

// append writes a frame, whose body is complete, and makes it durable. If it
// returns an error the frame is not there.
func (j *journal) append(frame []byte) error {
	end := j.end + int64(len(frame))
	if end > maxJournal {
		return errNoRoom
	}
	if err := j.grow(end); err != nil {
		return err
	}
	sealJournalFrame(frame, j.of, j.sequence)
	_, err := j.file.WriteAt(frame, j.end)
	if err == nil {
		err = datasync(j.file)
	}
	if err != nil {
		return errors.Join(err, j.erase())
	}
	j.end = end
	j.sequence++
	return nil
}

// erase takes away the header of a frame of which not all could be made
// durable: those who wait for it are told that it was not.
func (j *journal) erase() error {
	if _, err := j.file.WriteAt(make([]byte, journalHeaderSize), j.end); err != nil {
		return err
	}
	return datasync(j.file)
}

// grow sees to it that the file is there, and so long.
func (j *journal) grow(size int64) error {
	if j.file == nil {
		if err := j.open(os.O_RDWR | os.O_CREATE); err != nil {
			return err
		}
		if err := syncFolder(filepath.Dir(j.path)); err != nil {
			return err
		}
	}
	if size <= j.size {
		return nil
	}
	to := min((size+journalStep-1)/journalStep*journalStep, maxJournal)
	n, err := j.file.WriteAt(make([]byte, to-j.size), j.size)
	j.size += int64(n)
	if size <= j.size {
		err = nil // there was not room for the whole step, but for this
	}
	return errors.Join(err, datasync(j.file))
}

// open opens the file. Nobody but its owner may read it.
func (j *journal) open(flag int) error {
	file, err := os.OpenFile(j.path, flag, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("the journal is not a regular file")
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = file.Chmod(0o600)
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	j.file, j.info, j.size = file, info, info.Size()
	return nil
}

// read returns what the file holds; nothing if there is none.
func (j *journal) read() ([]byte, error) {
	if j.file == nil {
		err := j.open(os.O_RDWR)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	content := make([]byte, min(j.size, maxJournal))
	n, err := j.file.ReadAt(content, 0)
	if errors.Is(err, io.EOF) {
		err = nil // it was cut since
	}
	return content[:n], err
}

// place goes on behind these frames, which are all that count.
func (j *journal) place(frames []journalFrame) {
	j.end, j.sequence = 0, uint64(len(frames))
	if len(frames) > 0 {
		j.end = frames[len(frames)-1].end()
	}
}

// restart begins anew, when the outbox's file contains all frames.
func (j *journal) restart(of lineage) {
	j.of, j.end, j.sequence = of, 0, 0
}

// there reports whether the path still leads to the file, and all of it is
// there.
func (j *journal) there() bool {
	if j.file == nil {
		return true
	}
	info, err := os.Stat(j.path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // it is open; whether it can be found is not seen
	}
	return os.SameFile(info, j.info) && info.Size() >= j.size
}

// setAside gives what is at the path another name, under which a person can
// look at it, and goes on with none.
func (j *journal) setAside(suffix string, now time.Time) (string, error) {
	j.forget()
	if _, err := os.Lstat(j.path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	aside, err := setAside(j.path, suffix, now)
	if err != nil {
		return "", err
	}
	return aside, remove(j.path)
}

// forget closes the file.
func (j *journal) forget() {
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.info, j.size = nil, nil, 0
}

// close closes the file, and removes it if nothing in it counts.
func (j *journal) close() error {
	empty := j.file != nil && j.end == 0 && j.there()
	j.forget()
	if !empty {
		return nil
	}
	return remove(j.path)
}

// strange reports whether that can never have been a journal: one begins with
// a frame, or with the zeros that it was made of.
func strange(content []byte) bool {
	head := content[:min(len(content), len(journalMagic))]
	return !bytes.HasPrefix([]byte(journalMagic), head) && len(bytes.Trim(head, "\x00")) > 0
}
