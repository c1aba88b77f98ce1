// Package move moves entries from one store to another. An entry is copied, the copy is durable, and
// then the original is erased. So nothing is lost if that ends halfway, and moving again goes on:
// adopting an entry twice does no harm.
package move

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Limits of the entries that are copied at once.
const (
	maxBatch      = 200
	maxBatchBytes = 1 << 20
)

// Copied is the result of copying a batch.
type Copied struct {
	IDs  []string // of the entries that were copied
	Last string   // the last entry that was looked at
	More bool     // there may be entries after it
}

// Batch copies some entries after the given id, except those that skip reports true for.
func Batch(ctx context.Context, from, to outbox.Store, after string, skip func(id string) bool) (Copied, error) {
	page, err := from.List(ctx, outbox.Filter{After: after, Limit: maxBatch})
	if err != nil || len(page) == 0 {
		return Copied{Last: after}, err
	}
	var c Copied
	var batch []outbox.Adoption
	bytes := 0
	for _, e := range page {
		if len(batch) > 0 && bytes+len(e.Payload) > maxBatchBytes {
			break
		}
		c.Last = e.ID
		if skip(e.ID) {
			continue
		}
		recalled, err := isRecalled(ctx, from, e)
		if err != nil {
			return Copied{Last: after}, err
		}
		batch = append(batch, outbox.Adoption{Entry: e, Recalled: recalled})
		c.IDs = append(c.IDs, e.ID)
		bytes += len(e.Payload)
	}
	c.More = true
	if len(batch) == 0 {
		return c, nil
	}
	if err := to.Adopt(ctx, batch); err != nil {
		return Copied{Last: after}, err
	}
	return c, nil
}

// isRecalled reports whether the store remembers the id of an entry's lead.
func isRecalled(ctx context.Context, from outbox.Store, e outbox.Entry) (bool, error) {
	if e.State != outbox.Delivered || e.LeadID == "" || e.Identifier == "" {
		return false, nil
	}
	recalled, _, err := from.Recall(ctx, e.Account, e.Identifier)
	return recalled == e.LeadID, err
}

// Erase erases entries that were copied, and calls erased with the id of each. It erases them at
// once, so that they share a commit. It goes on after ctx has ended.
func Erase(ctx context.Context, from outbox.Store, ids []string, erased func(id string)) error {
	var work errgroup.Group
	for _, id := range ids {
		work.Go(func() error {
			err := from.Erase(context.WithoutCancel(ctx), id)
			if err != nil && !errors.Is(err, outbox.ErrNotFound) {
				return err
			}
			erased(id)
			return nil
		})
	}
	return work.Wait()
}

// All moves all entries, none of which may be taken, and calls progress with their number so far.
func All(ctx context.Context, from, to outbox.Store, progress func(moved int)) (moved int, err error) {
	none := func(string) bool { return false }
	for after, more := "", true; more; {
		c, err := Batch(ctx, from, to, after, none)
		if err != nil {
			return moved, fmt.Errorf("copying leads: %w", err)
		}
		if err := Erase(ctx, from, c.IDs, func(string) {}); err != nil {
			return moved, fmt.Errorf("erasing leads that were copied: %w", err)
		}
		moved += len(c.IDs)
		progress(moved)
		after, more = c.Last, c.More
	}
	return moved, nil
}
