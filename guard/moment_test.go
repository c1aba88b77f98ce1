package guard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		fmt.Sprint(now.Unix()):                      true,
		fmt.Sprint(now.UnixMilli() - 1):             true,
		" 2026-11-25T11:59:59.123Z ":                true,
		"2026-11-25T17:29:00+05:30":                 true,
		fmt.Sprint(now.Add(-48 * time.Hour).Unix()): false,
		fmt.Sprint(now.Add(time.Hour).Unix()):       false,
		"2026-11-25T11:00":                          false,
		"2026-11-25":                                false,
		"+" + fmt.Sprint(now.Unix()):                false,
		"":                                          false,
		strings.Repeat("9", 13):                     false,
		"08123456789":                               false,
	} {
		if got := IsMoment(text, now); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
