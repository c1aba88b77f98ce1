package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/guard"
)

func TestConfirmations(t *testing.T) {
	confirmations := guard.NewConfirmations(guard.Key([]byte("a key")), "enquiry")
	made, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	id, now := made.String(), time.Now()
	ours := confirmations.For(id)
	if got, ok := confirmations.Read(ours, now); !ok || got != id {
		t.Fatalf("read back %q, %v", got, ok)
	}
	other := uuid.Must(uuid.NewV7()).String()
	for name, test := range map[string]struct {
		confirmation string
		now          time.Time
	}{
		"none":               {"", now},
		"an id alone":        {id, now},
		"a seal cut short":   {ours[:len(ours)-1], now},
		"of another post":    {other + ours[strings.Index(ours, "."):], now},
		"of another form":    {guard.NewConfirmations(guard.Key([]byte("a key")), "callback").For(id), now},
		"with another key":   {guard.NewConfirmations(guard.Key([]byte("b key")), "enquiry").For(id), now},
		"in capital letters": {strings.ToUpper(ours), now},
		"of a random id":     {confirmations.For(uuid.NewString()), now},
		"of no id":           {confirmations.For("x"), now},
		"two days old":       {ours, now.Add(48 * time.Hour)},
		"of the future":      {ours, now.Add(-48 * time.Hour)},
	} {
		if got, ok := confirmations.Read(test.confirmation, test.now); ok {
			t.Errorf("%s passes, as %s", name, got)
		}
	}
}
