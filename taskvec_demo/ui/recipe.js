// What the controls mean: the same recipe, sentences and formula as taskvec_demo/recipe.py and ui/controls.py.

const ROW_FIELDS = 3; // on, negate, λ
const FIRST_ROW = 3; // after addition, negation, analogy
const MINUS = "\u2212";

class BadRecipeError extends Error {}

// Where a slider's λ stands among the values of all controls; the analogy's is the last.
const rowPosition = (index) => FIRST_ROW + ROW_FIELDS * index + 2;
const analogyPosition = (vectors) => FIRST_ROW + ROW_FIELDS * vectors.length + 3;

// A finite number as Python writes a float.
const pythonFloat = (x) => (Number.isInteger(x) ? x.toFixed(1) : String(x));

function checkCoefficient(value, what, max) {
  if (value >= 0 && value <= max) return;
  throw new BadRecipeError(`The scaling coefficient of ${what} is ${pythonFloat(value)}; it must be from 0 to ${max}.`);
}

// Values of all controls -> {vector: λ}, sorted by name, to 4 decimals, without zeros. Throws BadRecipeError.
// `vectors` are those of the rows, "" for a row that nobody has added a vector to.
function compose(values, vectors, sliderMax) {
  const [addition, negation, withAnalogy] = values;
  const total = {};
  const add = (name, value) => { total[name] = (total[name] ?? 0) + value; };
  vectors.forEach((name, i) => {
    if (!name) return;
    const [on, negate, coef] = values.slice(FIRST_ROW + ROW_FIELDS * i);
    const value = Number(coef || 0);
    checkCoefficient(value, "a row", sliderMax);
    if ((addition || negation) && on) add(name, negation && (negate || !addition) ? -value : value);
  });
  if (withAnalogy) {
    const [a, b, c, coef] = values.slice(FIRST_ROW + ROW_FIELDS * vectors.length);
    const value = Number(coef || 0);
    if (new Set([a, b, c]).size < 3) {
      throw new BadRecipeError(
        `An analogy needs three different task vectors, not A = '${a}', B = '${b}', C = '${c}'.`,
      );
    }
    checkCoefficient(value, "an analogy", sliderMax);
    add(a, -value);
    add(b, value);
    add(c, value);
  }
  const rounded = Object.keys(total).sort().map((name) => [name, Number(total[name].toFixed(4))]);
  return Object.fromEntries(rounded.filter(([, value]) => value !== 0));
}

// The number before τ in the formula, e.g. " + 0.80 ": two decimals, up to four where two are not the value applied.
function formulaNumber(value) {
  const size = Math.abs(value);
  const short = size.toFixed(2);
  return ` ${value < 0 ? MINUS : "+"} ${Number(short) === size ? short : size.toFixed(4).replace(/0+$/, "")} `;
}

const formulaText = (recipe, order) =>
  `θ_new = θ_pt${order.filter((v) => recipe[v]).map((v) => `${formulaNumber(recipe[v])}τ_${v}`).join("")}`;

// The recipe as `key=value` pairs of the address.
const recipePairs = (checkpoint, recipe) => [["ckpt", checkpoint], ...Object.entries(recipe).map(([k, v]) => [k, String(v)])];
