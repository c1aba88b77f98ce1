package signing

import "testing"

func TestSignaturesOfSeveralKeys(t *testing.T) {
	keys := func(names ...string) Keys {
		return func() [][]byte {
			var list [][]byte
			for _, name := range names {
				list = append(list, []byte(name))
			}
			return list
		}
	}
	const text = "a text"
	for name, test := range map[string]struct {
		signs, reads Keys
		want         bool
	}{
		"the same key":            {keys("a"), keys("a"), true},
		"the same keys":           {keys("a", "b"), keys("a", "b"), true},
		"the second one replaced": {keys("a", "b"), keys("a", "c"), true},
		"the first one replaced":  {keys("a", "b"), keys("c", "b"), true},
		"the first one lacking":   {keys("b"), keys("a", "b"), true},
		"the first one lost":      {keys("a", "b"), keys("b"), true},
		"both replaced":           {keys("a", "b"), keys("c", "d"), false},
		"swapped":                 {keys("a", "b"), keys("b", "a"), true},
		"no key":                  {keys("a"), keys(), false},
	} {
		signed := test.signs.Derived("x").Sign(text, 16)
		if got := test.reads.Derived("x").Verify(text, signed, 16); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
		if test.reads.Derived("y").Verify(text, signed, 16) || test.reads.Derived("x").Verify("another", signed, 16) || test.reads.Derived("x").Verify(text, signed, 18) {
			t.Errorf("%s: another text is verified", name)
		}
	}
	if signed := keys("a").Sign(text, 16); keys("a").Verify(text, "x.x.x.x."+signed, 16) {
		t.Error("too many signatures are compared")
	}
}
