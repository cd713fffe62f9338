// The page behind the links of mails. The token comes after the # of the address, which no server and no Referer ever sees.
// Nothing happens before the button is pressed: programs that open every link of a mail must not use it up.

const PAGES = {
  "verify-address": { path: "/api/v1/auth/verify-address" },
  "reset-password": { path: "/api/v1/auth/password-reset/confirm", password: true },
  "confirm-address-change": { path: "/api/v1/auth/address-change/confirm" },
  "undo-address-change": { path: "/api/v1/auth/address-change/undo" },
  // Linked in the browser that began, which its cookie shows.
  "prove-account": { path: "/api/v1/auth/identities/prove", credentials: "same-origin" },
};

const TEXTS = {
  en: {
    "verify-address": ["Confirm your address", "Is this address yours?", "Confirm the address", "Your address is confirmed. You can close this page."],
    "reset-password": ["Choose a new password", "It ends every session of your account.", "Save the password", "Your password is changed. Sign in with it."],
    "confirm-address-change": ["Confirm your new address", "From then on you sign in with it.", "Confirm the new address", "Your account has its new address."],
    "undo-address-change": ["Undo the change of address", "The old address comes back, and every session of your account ends.", "Undo the change", "The old address is back. Choose a new password now."],
    "prove-account": ["Is this sign-in yours?", "From then on it belongs to your account.", "Confirm and link", "It is linked. Sign in again."],
    password: "New password",
    broken: "This link is not whole. Open it from the mail again.",
    failed: "That did not work. Check your connection and try again.",
  },
  es: {
    "verify-address": ["Confirma tu dirección", "¿Es tuya esta dirección?", "Confirmar la dirección", "Tu dirección está confirmada. Puedes cerrar esta página."],
    "reset-password": ["Elige una contraseña nueva", "Se cerrarán todas las sesiones de tu cuenta.", "Guardar la contraseña", "Tu contraseña ha cambiado. Entra con ella."],
    "confirm-address-change": ["Confirma tu nueva dirección", "Desde ese momento entrarás con ella.", "Confirmar la nueva dirección", "Tu cuenta tiene su nueva dirección."],
    "undo-address-change": ["Deshacer el cambio de dirección", "Vuelve la dirección anterior y se cierran todas las sesiones de tu cuenta.", "Deshacer el cambio", "La dirección anterior ha vuelto. Elige ahora una contraseña nueva."],
    "prove-account": ["¿Es tuyo este acceso?", "Desde ese momento formará parte de tu cuenta.", "Confirmar y vincular", "Está vinculado. Entra de nuevo."],
    password: "Contraseña nueva",
    broken: "Este enlace no está completo. Ábrelo de nuevo desde el correo.",
    failed: "No ha funcionado. Comprueba tu conexión e inténtalo de nuevo.",
    // By the code of what the API refused; it speaks English, and so does whatever is not listed here.
    faults: new Map([
      ["auth.code_refused", "Este enlace ya no sirve: se ha usado, ha caducado o hay otro más nuevo. Pide otro."],
      ["length", "La contraseña debe tener al menos 12 caracteres (15 para el personal) y como mucho 256."],
      ["common", "Esta contraseña es de las primeras que se prueban: elige otra."],
      ["context", "Tu nombre, tu dirección y el nombre de este producto no cuentan: añade otros caracteres."],
      ["too_many_attempts", "Demasiados intentos: espera antes del siguiente."],
      ["too_many_requests", "Demasiadas peticiones: espera un momento."],
    ]),
  },
};

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get("lang");
const language = [asked, ...(navigator.languages ?? [])].map((tag) => (tag ?? "").slice(0, 2)).find((tag) => tag in TEXTS) ?? "en";
const texts = TEXTS[language];
const name = location.pathname.split("/").pop();
const page = PAGES[name];
const token = new URLSearchParams(location.hash.slice(1)).get("token");
// Out of the history of the browser, too.
history.replaceState(null, "", location.pathname + location.search);
document.documentElement.lang = language;

const say = (text, isFault) => {
  find("outcome").textContent = text;
  find("outcome").className = isFault ? "fault" : "";
};

const send = async () => {
  const body = { token };
  if (page.password) body.password = find("password").value;
  const answer = await fetch(page.path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    credentials: page.credentials ?? "omit",
  });
  if (answer.ok) return null;
  const problem = await answer.json().catch(() => ({}));
  return texts.faults?.get(problem.code) ?? texts.faults?.get(problem.errors?.[0]?.code) ?? problem.detail ?? texts.failed;
};

if (page === undefined || !token) {
  find("title").textContent = "tradingcore";
  say(texts.broken, true);
} else {
  const [title, lead, button, done] = texts[name];
  document.title = `${title} · tradingcore`;
  find("title").textContent = title;
  find("lead").textContent = lead;
  find("go").textContent = button;
  find("password-label").textContent = texts.password;
  find("password-field").hidden = !page.password;
  find("password").required = Boolean(page.password);
  find("action").hidden = false;
  find("action").addEventListener("submit", async (event) => {
    event.preventDefault();
    find("go").disabled = true;
    say("");
    let fault;
    try {
      fault = await send();
    } catch {
      fault = texts.failed;
    }
    find("go").disabled = false;
    if (fault === null) find("action").hidden = true;
    say(fault ?? done, fault !== null);
  });
}
