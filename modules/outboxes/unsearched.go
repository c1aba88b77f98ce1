package outboxes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// Unsearched says which files of this machine may have leads that are in no open outbox: outboxes that
// the running config does not use, and copies that were set aside beside one. It returns an empty text
// if there are none.
func Unsearched() string {
	var unused, setAside []string
	for _, n := range notes() {
		if !dispatch.IsOpen(n.Resource) {
			files, _ := n.files() // a folder that cannot be read is named by its outbox
			for _, file := range files {
				if _, err := os.Stat(file); err == nil {
					unused = append(unused, file)
				}
			}
		}
		for _, prefix := range n.spools() {
			copies, _ := sqlstore.SetAside(strings.TrimSuffix(prefix, spoolSuffix)) // without a folder there are none
			setAside = append(setAside, copies...)
		}
	}
	var sentences []string
	if len(unused) > 0 {
		sentences = append(sentences, fmt.Sprintf("the config does not use %s: remove it, or use it once more and erase the person again", eachOnce(unused)))
	}
	if len(setAside) > 0 {
		sentences = append(sentences, fmt.Sprintf("%s was set aside: remove it when nothing in it is needed", eachOnce(setAside)))
	}
	return strings.Join(sentences, "; ")
}

// eachOnce lists files, sorted.
func eachOnce(files []string) string {
	slices.Sort(files)
	return strings.Join(slices.Compact(files), ", ")
}

// notes returns the notes of the outboxes that were opened on this machine, in this process or an
// earlier one, unless nothing was left in them.
func notes() (list []Note) {
	files, _ := os.ReadDir(noteFolder()) // without a folder there are none
	for _, file := range files {
		if n, err := readNote(filepath.Join(noteFolder(), file.Name())); err == nil {
			list = append(list, n)
		}
	}
	return list
}
