// Package form reads the body of an HTML form POST and returns its values in the order sent.
//
// It reads the two encodings that browsers send, application/x-www-form-urlencoded and
// multipart/form-data, and the flat JSON object that scripts send instead. It enforces [Limits]
// while it reads, skips files, and returns valid UTF-8 without NUL. Errors never quote the body, so
// they can be logged.
package form

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Errors that [Read] wraps, one for each HTTP status that a server answers with.
var (
	// ErrUnsupported means that [Read] does not know the content type or the charset. The HTTP
	// status for it is 415.
	ErrUnsupported = errors.New("unsupported form encoding")
	// ErrTooLarge means that the body exceeds one of the [Limits]. The HTTP status for it is 413.
	ErrTooLarge = errors.New("form too large")
	// ErrMalformed means that the body is not valid for its content type, was cut short, or
	// contains NUL. The HTTP status for it is 400.
	ErrMalformed = errors.New("malformed form")
)

// Limits bound what [Read] accepts, inclusively. A limit that is zero or less means the one of
// [DefaultLimits].
type Limits struct {
	Body   int64 // bytes of the whole body, as sent
	Fields int   // number of values, counting repeated names and files
	Name   int   // bytes of one name, decoded
	Value  int   // bytes of one value, decoded
}

// DefaultLimits returns the limits of an ordinary contact form: a body of 64 KiB, 100 fields, names
// of 100 bytes and values of 10 KiB.
func DefaultLimits() Limits {
	return Limits{Body: 64 << 10, Fields: 100, Name: 100, Value: 10 << 10}
}

func (l Limits) withDefaults() Limits {
	defaults := DefaultLimits()
	if l.Body <= 0 {
		l.Body = defaults.Body
	}
	if l.Fields <= 0 {
		l.Fields = defaults.Fields
	}
	if l.Name <= 0 {
		l.Name = defaults.Name
	}
	if l.Value <= 0 {
		l.Value = defaults.Value
	}
	return l
}

// Entry is one name and one value of a form.
type Entry struct {
	Name, Value string
}

// Form holds the values of a form in the order sent.
type Form struct {
	Entries []Entry  // one for each value; names may repeat and are never empty
	Files   []string // names of inputs whose files were skipped, each once; empty file inputs do not count

	// TooLong and Cut are set only with [ErrTooLarge].
	TooLong []string // names of inputs with too long a value, one for each such value
	Cut     bool     // Entries and Files are incomplete

	// Charset names the encoding that some of the form was in. It is empty if all of it was UTF-8.
	Charset string
}

// Values returns the values of name in the order sent. It returns nil if name was not sent.
func (f *Form) Values(name string) []string {
	var values []string
	for _, entry := range f.Entries {
		if entry.Name == name {
			values = append(values, entry.Value)
		}
	}
	return values
}

// First returns the first value of name, or the empty string if name was not sent.
func (f *Form) First(name string) string {
	for _, entry := range f.Entries {
		if entry.Name == name {
			return entry.Value
		}
	}
	return ""
}

// Has reports whether name was sent, even with an empty value.
func (f *Form) Has(name string) bool {
	for _, entry := range f.Entries {
		if entry.Name == name {
			return true
		}
	}
	return false
}

// Read reads body in the encoding of contentType, the request's Content-Type header. It reads at
// most limits.Body bytes from body, and one more to detect a longer one. A part of a multipart body
// may have at most 16 headers and 8 KiB of them. The caller must undo any Content-Encoding.
//
// A form is in UTF-8 unless its Content-Type, its input _charset_ or one of its parts declares
// another encoding. Text that is not UTF-8 and has no declared encoding is read in the encoding
// that pageCharset returns, or else in windows-1252. pageCharset gets the form as read in
// windows-1252, and may be nil. JSON is read in the encoding that its Content-Type declares, or
// else in UTF-8.
//
// The error wraps [ErrUnsupported], [ErrTooLarge] or [ErrMalformed]. When reading body fails, the
// error wraps that failure instead, with two exceptions: an [*http.MaxBytesError] comes with
// ErrTooLarge, and a multipart body that fails with [io.ErrUnexpectedEOF] counts as cut short,
// which is ErrMalformed.
//
// With ErrTooLarge, and with no other error, Read also returns an incomplete form, to show the
// visitor again. It must not be submitted. The form includes values that are too long, up to
// [MaxKept] bytes of them in total. It ends before the first value that exceeds MaxKept or the
// number of fields, or whose name is too long. If the body is too large, it lacks the value that
// the limit falls in and everything after it; a JSON object then has no values at all.
func Read(body io.Reader, contentType string, limits Limits, pageCharset func(*Form) string) (*Form, error) {
	mediaType, params, err := parseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("%w: the content type is missing or invalid", ErrUnsupported)
	}
	declared, err := declaredCharset(params)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = http.NoBody
	}
	limits = limits.withDefaults()
	src := &source{r: http.MaxBytesReader(nil, io.NopCloser(body), limits.Body)}
	c := &collector{limits: limits, declared: declared}
	switch mediaType {
	case "application/x-www-form-urlencoded":
		err = c.readURLEncoded(src)
	case "multipart/form-data":
		err = c.readMultipart(src, params["boundary"])
	case "application/json":
		err = c.readJSON(src)
	default:
		err = fmt.Errorf("%w: the content type is not supported; send application/x-www-form-urlencoded, multipart/form-data or application/json", ErrUnsupported)
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	c.form.Cut = err != nil
	decodeErr := c.decode(pageCharset)
	return &c.form, cmp.Or(err, decodeErr, c.tooLong)
}

// MaxKept is how many bytes of too long values [Read] returns with [ErrTooLarge].
const MaxKept = 256 << 10

// maxMediaType bounds a Content-Type header. Those in use have fewer than 150 bytes.
const maxMediaType = 1024

// parseMediaType is [mime.ParseMediaType], except that an invalid parameter drops only itself and
// those after it. A multipart boundary may come before it.
func parseMediaType(header string) (mediaType string, params map[string]string, err error) {
	if len(header) > maxMediaType {
		return "", nil, mime.ErrInvalidMediaParameter
	}
	for {
		mediaType, params, err = mime.ParseMediaType(header)
		end := strings.LastIndexByte(header, ';')
		if !errors.Is(err, mime.ErrInvalidMediaParameter) || end < 0 {
			return mediaType, params, err
		}
		header = header[:end]
	}
}

// source is the bounded body. It remembers why it failed, because a parser that gets half a line
// may report the line instead of the failure.
type source struct {
	r   io.Reader
	err error // the first failure, never io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// readAll returns the body, or what was read before it failed.
func (s *source) readAll() ([]byte, error) {
	body, err := io.ReadAll(s)
	if err != nil {
		return body, readError(err)
	}
	return body, nil
}

func readError(err error) error {
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("%w: body exceeds %d bytes: %w", ErrTooLarge, tooLong.Limit, err)
	}
	return fmt.Errorf("reading the form body: %w", err)
}

// collector collects a form's entries within limits.
type collector struct {
	limits   Limits
	declared charset // of the whole body
	fields   int
	form     Form      // before decoding
	charsets []charset // declared by single values
	raw      []string  // values before decoding
	tooLong  error     // set when a value is too long; reading goes on
	kept     int       // bytes of values that are too long
}

// add keeps a value. It skips values without a name: browsers do not send them and no field can be
// mapped to them.
func (c *collector) add(name, value string) error {
	if name == "" {
		return nil
	}
	if err := c.countField(); err != nil {
		return err
	}
	return c.keep(name, value, charset{})
}

func (c *collector) countField() error {
	if c.fields == c.limits.Fields {
		return fmt.Errorf("%w: more than %d values", ErrTooLarge, c.limits.Fields)
	}
	c.fields++
	return nil
}

// keep keeps a value, which may declare its own encoding.
func (c *collector) keep(name, value string, own charset) error {
	if err := c.checkName(name); err != nil {
		return err
	}
	if len(value) > c.limits.Value {
		c.tooLong = c.valueTooLong()
		c.form.TooLong = append(c.form.TooLong, name)
		if c.kept += len(value); c.kept > MaxKept {
			return c.tooLong
		}
	}
	if err := checkText(value); err != nil {
		if len(value) > c.limits.Value {
			return nil
		}
		return err
	}
	c.form.Entries = append(c.form.Entries, Entry{Name: name, Value: value})
	c.charsets = append(c.charsets, own)
	c.raw = append(c.raw, value)
	return nil
}

func (c *collector) valueTooLong() error {
	return fmt.Errorf("%w: a value has more than %d bytes", ErrTooLarge, c.limits.Value)
}

func (c *collector) nameTooLong() error {
	return fmt.Errorf("%w: a name has more than %d bytes", ErrTooLarge, c.limits.Name)
}

func (c *collector) checkName(name string) error {
	if len(name) > c.limits.Name {
		return c.nameTooLong()
	}
	return checkText(name)
}

func checkText(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("%w: a name or value contains a NUL character", ErrMalformed)
	}
	return nil
}
