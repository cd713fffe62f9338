// Begins and finishes a sign-in at an identity provider. What the provider answered comes sealed after the # of the address,
// which no server and no Referer ever sees; the cookie of this browser makes it worth something. Tokens live in this page only.

const API = "/api/v1";

const TEXTS = {
  en: {
    title: "Sign in",
    with: (name) => `Sign in with ${name}`,
    none: "No identity provider is switched on here.",
    signedIn: (who, waits) => `You are signed in as ${who}.${waits ? " Confirm your address to go on: see your mail." : ""}`,
    nobody: "somebody without a name",
    factor: "Code of your authenticator",
    send: "Send",
    proof: (name) => `Your ${name} address belongs to an account. Sign in there first, or prove it by mail: open the mail in this browser.`,
    mail: "Mail me a proof",
    mailed: "If there is something to send, it is on its way.",
    linked: (name) => `${name} is linked to your account.`,
    steppedUp: "You have proven again who you are.",
    again: "Begin again",
    failed: "That did not work. Check your connection and try again.",
    unknown: "No such sign-in is under way in this browser. Begin again.",
  },
  es: {
    title: "Entrar",
    with: (name) => `Entrar con ${name}`,
    none: "Aquí no hay ningún proveedor de identidad activo.",
    signedIn: (who, waits) => `Has entrado como ${who}.${waits ? " Confirma tu dirección para seguir: mira tu correo." : ""}`,
    nobody: "alguien sin nombre",
    factor: "Código de tu autenticador",
    send: "Enviar",
    proof: (name) => `Tu dirección de ${name} pertenece a una cuenta. Entra antes en ella, o demuéstralo por correo: abre el correo en este navegador.`,
    mail: "Enviarme una prueba",
    mailed: "Si hay algo que enviar, está en camino.",
    linked: (name) => `${name} está vinculado a tu cuenta.`,
    steppedUp: "Has demostrado de nuevo quién eres.",
    again: "Empezar de nuevo",
    failed: "No ha funcionado. Comprueba tu conexión e inténtalo de nuevo.",
    unknown: "No hay ninguna entrada en curso en este navegador. Empieza de nuevo.",
    // By the code of what the API refused; it speaks English, and so does whatever is not listed here.
    faults: new Map([
      ["auth.identity_refused", "El proveedor no ha demostrado quién eres: empieza de nuevo."],
      ["auth.provider_flow_unknown", "No hay ninguna entrada en curso en este navegador. Empieza de nuevo."],
      ["auth.identity_taken", "Esta cuenta del proveedor está vinculada a otra cuenta: entra en ella, o desvincúlala allí."],
      ["auth.account_disabled", "Esta cuenta está suspendida o cerrada: escribe a nuestro equipo de ayuda."],
      ["auth.factor_refused", "El código no es correcto o ya se ha usado."],
      ["auth.challenge_ended", "Ha pasado demasiado tiempo o se ha intentado demasiadas veces: empieza de nuevo."],
      ["too_many_attempts", "Demasiados intentos: espera antes del siguiente."],
      ["too_many_requests", "Demasiadas peticiones: espera un momento."],
    ]),
  },
};

const find = (id) => document.getElementById(id);
const language = (navigator.languages ?? []).map((tag) => tag.slice(0, 2)).find((tag) => tag in TEXTS) ?? "en";
const texts = TEXTS[language];
const told = new URLSearchParams(location.hash.slice(1));
// Out of the history of the browser, too.
history.replaceState(null, "", location.pathname);

document.documentElement.lang = language;
document.title = `${texts.title} · tradingcore`;
find("title").textContent = texts.title;
find("code-label").textContent = texts.factor;
find("send-code").textContent = texts.send;
find("mail-proof").textContent = texts.mail;
find("again").textContent = texts.again;

const say = (text, isFault = false) => {
  find("outcome").textContent = text;
  find("outcome").className = isFault ? "fault" : "";
  find("again").hidden = !isFault;
};

const call = async (method, path, body, bearer) => {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer !== undefined) headers.Authorization = `Bearer ${bearer}`;
  const answer = await fetch(API + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(texts.faults?.get(found.code) ?? found.detail ?? texts.failed);
  return found;
};

const guarded = (work) => async (event) => {
  event?.preventDefault();
  try {
    await work(event);
  } catch (error) {
    say(error instanceof TypeError ? texts.failed : error.message, true);
  }
};

const greet = async (tokens) => {
  const account = await call("GET", "/account", undefined, tokens.access_token);
  const name = [account.display_name, account.email && `<${account.email}>`].filter(Boolean).join(" ");
  say(texts.signedIn(name || texts.nobody, account.status === "unverified" && account.email));
};

const askForFactor = (challenge) => {
  find("factor").hidden = false;
  find("code").focus();
  find("factor").onsubmit = guarded(async () => {
    const proof = find("code").value.trim();
    const factor = /^\d{6}$/.test(proof) ? "totp" : "backup_code";
    const answer = await call("POST", "/auth/challenges", { challenge: challenge.challenge, factor, proof });
    find("factor").hidden = true;
    await greet(answer.tokens);
  });
};

const askForProof = (proof) => {
  say(texts.proof(proof.provider));
  find("mail-proof").hidden = false;
  find("mail-proof").onclick = guarded(async () => {
    await call("POST", "/auth/identities/proofs", { ticket: proof.ticket });
    find("mail-proof").hidden = true;
    say(texts.mailed);
  });
};

const finish = guarded(async () => {
  const found = await call("POST", "/auth/providers/completions", { handle: told.get("handle"), locale: language });
  if (found.status === "signed_in") await greet(found.tokens);
  if (found.status === "factor_required") askForFactor(found.challenge);
  if (found.status === "proof_required") askForProof(found.proof);
  if (found.status === "linked") say(texts.linked(found.identity.provider));
  if (found.status === "stepped_up") say(texts.steppedUp);
});

const offer = guarded(async () => {
  const { data } = await call("GET", "/auth/providers");
  if (data.length === 0) say(texts.none);
  for (const provider of data) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = texts.with(provider.title);
    button.onclick = guarded(async () => {
      const begun = await call("POST", `/auth/providers/${provider.name}/authorizations`, {});
      location.assign(begun.authorization_url);
    });
    find("providers").append(button, " ");
  }
  find("providers").hidden = false;
});

if (told.has("handle")) finish();
else if (told.has("error")) say(texts.unknown, true);
else offer();
